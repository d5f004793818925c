const { StringDecoder } = require('string_decoder')

const decode = (encoding, ...chunks) => {
  const decoder = new StringDecoder(encoding)
  return [...chunks.map(chunk => decoder.write(Buffer.from(chunk))), decoder.end()]
}

// Errors of the package have no code.
function named (f) {
  try {
    f()
  } catch (error) {
    return error instanceof Error
  }
}

exports.run = () => [
  () => decode('utf8', [0xe2, 0x82], [0xac], [0x41]),
  () => decode('utf8', [0xf0, 0x9f], [0x98], [0x80]),
  () => decode('utf8', [0xe2, 0x82]),
  () => decode('utf16le', [0x41], [0x00, 0x3d, 0xd8], [0x00, 0xde]),
  () => decode('base64', [1], [2, 3, 4], [5]),
  () => decode('hex', [1, 255]),
  () => decode('latin1', [0xe4, 0x41]),
  () => decode(undefined, [0xc3, 0xa4]),
  () => named(() => new StringDecoder('nope')),
  () => new StringDecoder('UTF-8').encoding
]
