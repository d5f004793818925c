// Arguments that are bytes.

const { argumentType } = require('./errors.js')

const isBytes = (value) => ArrayBuffer.isView(value) || nodevms.kind(value) === 'ArrayBuffer'

// A view of the bytes themselves, for as long as they are looked at.
function bytesOf (value, name, wanted) {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (nodevms.kind(value) === 'ArrayBuffer') return new Uint8Array(value)
  throw argumentType(name, wanted, value)
}

module.exports = { bytesOf, isBytes }
