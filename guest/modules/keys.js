// Public keys of Ed25519: PEM and DER (SubjectPublicKeyInfo, RFC 8410) and JWK (RFC 8037).

const { argumentType, make } = require('./errors.js')
const { bytesOf, isBytes } = require('./bytes.js')

const { Buffer } = nodevms
const KEY_BYTES = 32
// SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING { the key } }
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const PEM = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]*)-----END PUBLIC KEY-----/

const unsupported = () => make(Error, 'ERR_OSSL_UNSUPPORTED', 'Only public keys of Ed25519 (SPKI or JWK) are supported')
const toURL = (base64) => base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

function fromDER (bytes) {
  if (bytes.length !== SPKI_HEAD.length + KEY_BYTES || SPKI_HEAD.compare(bytes, 0, SPKI_HEAD.length) !== 0) throw unsupported()
  return Buffer.from(bytes.subarray(SPKI_HEAD.length))
}

function fromPEM (text) {
  const found = PEM.exec(text)
  if (found === null) throw unsupported()
  return fromDER(Buffer.from(found[1], 'base64'))
}

function fromJWK (jwk) {
  if (jwk === null || typeof jwk !== 'object') throw argumentType('key.key', 'of type object', jwk)
  if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519' || typeof jwk.x !== 'string') throw unsupported()
  const raw = Buffer.from(jwk.x, 'base64')
  if (raw.length !== KEY_BYTES) throw make(TypeError, 'ERR_CRYPTO_INVALID_JWK', 'Invalid JWK data')
  return raw
}

// The 32 bytes of a key in any of the forms that Node takes.
function rawPublicKey (key) {
  if (key instanceof KeyObject) return KeyObject.rawOf(key)
  if (typeof key === 'string') return fromPEM(key)
  if (isBytes(key)) return fromPEM(Buffer.from(bytesOf(key)).toString())
  if (key === null || typeof key !== 'object') {
    throw argumentType('key', 'of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey', key)
  }
  if (key.format === 'jwk') return fromJWK(key.key)
  if (key.key instanceof KeyObject) return KeyObject.rawOf(key.key)
  if (key.format === 'der') {
    if (key.type !== 'spki') throw make(TypeError, 'ERR_INVALID_ARG_VALUE', "The property 'options.type' must be 'spki'")
    return fromDER(Buffer.from(bytesOf(key.key, 'key.key', 'an instance of ArrayBuffer, Buffer, TypedArray, or DataView')))
  }
  return fromPEM(typeof key.key === 'string' ? key.key : Buffer.from(bytesOf(key.key, 'key.key', 'of type string or bytes')).toString())
}

class KeyObject {
  #raw
  constructor (raw) { this.#raw = raw }
  static rawOf (key) { return key.#raw }
  get type () { return 'public' }
  get asymmetricKeyType () { return 'ed25519' }
  get asymmetricKeyDetails () { return {} }
  equals (other) { return other instanceof KeyObject && this.#raw.equals(other.#raw) }
  export (options) {
    if (options === null || typeof options !== 'object') throw argumentType('options', 'of type object', options)
    if (options.format === 'jwk') return { crv: 'Ed25519', x: toURL(this.#raw.toString('base64')), kty: 'OKP' }
    if (options.type !== 'spki') {
      throw make(Error, 'ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS', 'The selected key encoding ' + options.type + ' can only be used for other keys')
    }
    const der = Buffer.concat([SPKI_HEAD, this.#raw])
    if (options.format === 'der') return der
    return '-----BEGIN PUBLIC KEY-----\n' + der.toString('base64') + '\n-----END PUBLIC KEY-----\n'
  }
}

function createPublicKey (key) {
  if (key instanceof KeyObject) {
    throw make(TypeError, 'ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE', 'Invalid key object type public, expected private.')
  }
  return new KeyObject(rawPublicKey(key))
}

module.exports = { createPublicKey, KeyObject, rawPublicKey }
