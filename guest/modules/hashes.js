// Hash and Hmac. They have no host behind them between two calls, so they can be kept in a variable,
// copied and undone like any other object.

const { argumentType, make } = require('./errors.js')
const { bytesOf, isBytes } = require('./bytes.js')

const { Buffer } = nodevms
const algorithms = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512']
const FIRST_CAPACITY = 64
const NOTHING = new Uint8Array(0)

// The host's name of an algorithm, undefined for what is none: SHA-256 and RSA-SHA256 are sha256.
function known (algorithm) {
  const name = algorithm.toLowerCase().replace(/^rsa-/, '').replace(/^sha-/, 'sha')
  return algorithms.includes(name) ? name : undefined
}

function encoded (bytes, encoding) {
  const buffer = Buffer.from(bytes)
  if (encoding === undefined || encoding === null || encoding === 'buffer') return buffer
  return buffer.toString(Buffer.isEncoding(encoding) ? encoding : 'utf8')
}

function toBytes (data, encoding) {
  if (typeof data === 'string') {
    const special = encoding !== undefined && encoding !== 'utf8' && Buffer.isEncoding(encoding)
    return special ? Buffer.from(data, encoding) : new Uint8Array(nodevms.encode(data))
  }
  if (ArrayBuffer.isView(data)) return bytesOf(data)
  throw argumentType('data', 'of type string or an instance of Buffer, TypedArray, or DataView', data)
}

const finalized = () => make(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called')

// What was given so far, in one piece that doubles when it is full.
class Gathered {
  constructor (bytes = NOTHING, length = 0) {
    this.bytes = bytes
    this.length = length
  }

  add (bytes) {
    const length = this.length + bytes.length
    if (length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.bytes.length, FIRST_CAPACITY))
      larger.set(this.all())
      this.bytes = larger
    }
    this.bytes.set(bytes, this.length)
    this.length = length
  }

  all () { return this.bytes.subarray(0, this.length) }
  copy () { return new Gathered(this.all().slice(), this.length) }
}

class Hash {
  #name; #gathered = new Gathered(); #done = false
  constructor (algorithm, options) {
    if (algorithm instanceof Hash) {
      if (algorithm.#done) throw finalized()
      this.#name = algorithm.#name
      this.#gathered = algorithm.#gathered.copy()
      return
    }
    if (typeof algorithm !== 'string') throw argumentType('algorithm', 'of type string', algorithm)
    this.#name = known(algorithm)
    if (this.#name === undefined) throw new Error('Digest method not supported')
    if (options?.outputLength !== undefined && options.outputLength !== digestOf(this.#name, NOTHING).byteLength) {
      throw make(Error, 'ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH', 'not XOF or invalid length')
    }
  }

  update (data, encoding) {
    if (this.#done) throw finalized()
    this.#gathered.add(toBytes(data, encoding))
    return this
  }

  digest (encoding) {
    if (this.#done) throw finalized()
    const result = encoded(digestOf(this.#name, this.#gathered.all()), encoding)
    this.#done = true
    this.#gathered = null
    return result
  }

  copy () { return new Hash(this) }
}

class Hmac {
  #name; #keyLength; #gathered = new Gathered(); #done = false
  constructor (algorithm, key) {
    if (typeof algorithm !== 'string') throw argumentType('hmac', 'of type string', algorithm)
    if (typeof key !== 'string' && !isBytes(key)) {
      const wanted = 'of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey'
      throw argumentType('key', wanted, key)
    }
    this.#name = known(algorithm)
    if (this.#name === undefined) throw make(TypeError, 'ERR_CRYPTO_INVALID_DIGEST', 'Invalid digest: ' + algorithm)
    const bytes = typeof key === 'string' ? Buffer.from(key) : bytesOf(key)
    this.#keyLength = bytes.length
    this.#gathered.add(bytes)
  }

  update (data, encoding) {
    if (this.#done) throw finalized()
    this.#gathered.add(toBytes(data, encoding))
    return this
  }

  // A second digest is empty, as it is in Node.
  digest (encoding) {
    if (this.#done) return encoded(NOTHING, encoding)
    const request = '["hmac","' + this.#name + '",' + this.#keyLength + ']'
    const result = encoded(nodevms.crypto(request, this.#gathered.all()), encoding)
    this.#done = true
    this.#gathered = null
    return result
  }
}

const digestOf = (name, bytes) => nodevms.crypto('["hash","' + name + '"]', bytes)

function hash (algorithm, data, outputEncoding = 'hex') {
  return new Hash(algorithm).update(data).digest(outputEncoding)
}

module.exports = { Hash, Hmac, getHashes: () => algorithms.slice(), hash }
