// What of Node's `crypto` is a function of its arguments, or of the entry's seed. The host computes
// it; a Hash keeps what it was given until `digest` asks.

const { argumentType, make, outOfRange, requireFunction } = require('./errors.js')
const { createPublicKey, KeyObject, rawPublicKey } = require('./keys.js')
const { Hash, Hmac, getHashes, hash } = require('./hashes.js')
const { bytesOf, isBytes } = require('./bytes.js')

const { Buffer } = nodevms
const SIZE_MAX = 2 ** 31 - 1
const RANDOM_BYTES = 6
const RANDOM_MAX = 2 ** (8 * RANDOM_BYTES) - 1
const SIGNATURE_BYTES = 64

function checkSize (value, name, max) {
  if (typeof value !== 'number') throw argumentType(name, 'of type number', value)
  if (Number.isNaN(value) || value < 0 || value > max) throw outOfRange(name, '>= 0 && <= ' + max, value)
  return Math.trunc(value)
}

// Calls back as Node does, after the caller has ended, or returns the value.
function answer (callback, value) {
  if (callback === undefined) return value
  requireFunction(callback, 'callback')
  setImmediate(callback, null, value)
}

const randomBytes = (size, callback) => answer(callback, Buffer.from(nodevms.random(checkSize(size, 'size', SIZE_MAX))))

function randomFillSync (buffer, offset = 0, size = undefined) {
  const bytes = bytesOf(buffer, 'buf', 'an instance of ArrayBuffer, Buffer, TypedArray, or DataView')
  const unit = buffer.BYTES_PER_ELEMENT ?? 1
  const from = checkSize(offset, 'offset', bytes.length / unit) * unit
  const count = size === undefined ? bytes.length - from : checkSize(size, 'size', bytes.length / unit - offset) * unit
  bytes.set(nodevms.random(count), from)
  return buffer
}

function randomFill (buffer, offset, size, callback) {
  if (typeof offset === 'function') return answer(offset, randomFillSync(buffer))
  if (typeof size === 'function') return answer(size, randomFillSync(buffer, offset))
  requireFunction(callback, 'callback')
  return answer(callback, randomFillSync(buffer, offset, size))
}

function randomInt (min, max, callback) {
  if (max === undefined || typeof max === 'function') return randomInt(0, min, max)
  if (!Number.isSafeInteger(min)) throw argumentType('min', 'a safe integer', min)
  if (!Number.isSafeInteger(max)) throw argumentType('max', 'a safe integer', max)
  if (max <= min) throw outOfRange('max', 'greater than the value of "min" (' + min + ')', max)
  const range = max - min
  if (range > RANDOM_MAX) throw outOfRange('max - min', '<= ' + RANDOM_MAX, range)
  // Numbers at the end that would make some results likelier than others are drawn again.
  const limit = RANDOM_MAX - (RANDOM_MAX % range)
  for (;;) {
    const drawn = Buffer.from(nodevms.random(RANDOM_BYTES)).readUIntBE(0, RANDOM_BYTES)
    if (drawn < limit) return answer(callback, drawn % range + min)
  }
}

function randomUUID () {
  const bytes = Buffer.from(nodevms.random(16))
  bytes[6] = (bytes[6] & 0x0f) | 0x40
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function timingSafeEqual (one, other) {
  const wanted = 'an instance of ArrayBuffer, Buffer, TypedArray, or DataView'
  const left = bytesOf(one, 'buf1', wanted)
  const right = bytesOf(other, 'buf2', wanted)
  if (left.length !== right.length) {
    throw make(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length')
  }
  let difference = 0
  for (let i = 0; i < left.length; i++) difference |= left[i] ^ right[i]
  return difference === 0
}

function verify (algorithm, data, key, signature, callback) {
  if (algorithm !== null && algorithm !== undefined) {
    throw make(Error, 'ERR_OSSL_INVALID_DIGEST', 'Ed25519 has its own digest: the algorithm must be null or undefined')
  }
  const message = isBytes(data) ? bytesOf(data) : Buffer.from(data)
  const raw = rawPublicKey(key)
  const signed = bytesOf(signature, 'signature', 'an instance of Buffer, TypedArray, or DataView')
  const good = signed.length === SIGNATURE_BYTES &&
    nodevms.crypto('["verify","ed25519"]', Buffer.concat([raw, signed, message]))
  return answer(callback, good)
}

const crypto = {
  createHash: (algorithm, options) => new Hash(algorithm, options),
  createHmac: (algorithm, key, options) => new Hmac(algorithm, key, options),
  createPublicKey,
  getHashes,
  hash,
  Hash,
  Hmac,
  KeyObject,
  randomBytes,
  pseudoRandomBytes: randomBytes,
  prng: randomBytes,
  rng: randomBytes,
  randomFill,
  randomFillSync,
  randomInt,
  randomUUID,
  timingSafeEqual,
  verify
}

module.exports = { crypto }
