const { Buffer: B, constants, kMaxLength, isAscii, isUtf8 } = require('node:buffer')

exports.run = () => [
  () => B === Buffer,
  () => [typeof constants.MAX_LENGTH, typeof kMaxLength],
  () => [isAscii(B.from('a')), isAscii(B.from('ä')), isUtf8(B.from('ä')), isUtf8(new Uint8Array([0xff]))],
  () => isUtf8('text'),
  () => [B.from('a-_b', 'base64url').toString('hex'), B.from([251, 255, 1]).toString('base64url'), B.isEncoding('base64url')],
  () => [B.byteLength('YWJj', 'base64url'), B.alloc(3).write('YWJj', 'base64url')],
  () => B.from('ff0a', 'hex').toString('hex'),
  () => ['utf8', 'latin1', 'ascii', 'utf16le', 'hex', 'base64'].map(e => B.from('äb', e).toString('hex')),
  () => B.concat([B.from('a'), B.from('b')]).equals(B.from('ab')),
  () => B.from('test').readUInt16BE(1),
  () => B.alloc(8, 'ab').toString(),
  () => B.compare(B.from('a'), B.from('b')),
  () => B.from('abc').indexOf('c'),
  () => B.from([1, 2, 3]).toJSON(),
  () => { try { B.from(5) } catch (error) { return error.name } }
]
