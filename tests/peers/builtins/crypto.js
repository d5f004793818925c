const crypto = require('crypto')

const PEM = '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n'
const JWK = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
const SIGNATURE = Buffer.from('e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b', 'hex')
const EMPTY = Buffer.alloc(0)
const names = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512']
const hash = crypto.createHash('sha256').update('kept ')

exports.run = () => [
  () => names.map(name => crypto.createHash(name).update('a').update(Buffer.from('bc')).update(new Uint8Array(1000)).digest('hex')),
  () => names.map(name => crypto.createHash(name).digest('base64')),
  () => names.map(name => crypto.createHmac(name, 'key').update('ä').digest('hex')),
  () => names.map(name => crypto.createHmac(name, 'k'.repeat(300)).update('x').digest('base64url')),
  () => crypto.createHmac('sha256', new Uint8Array([1, 2]).buffer).update('61', 'hex').digest('latin1'),
  () => names.every(name => crypto.getHashes().includes(name)),
  () => ['SHA-256', 'RSA-SHA512', 'SHA1', 'Md5'].map(name => crypto.createHash(name).update('x').digest('hex')),
  () => hash.copy().update('here').digest('hex'),
  () => hash.copy().update('there').digest('hex'),
  () => crypto.createHash('sha256').update('YWI', 'base64').update('ä', 'latin1').digest('hex'),
  () => crypto.createHash('sha256').update(new DataView(new ArrayBuffer(3), 1)).update(new Uint16Array([1, 2])).digest('hex'),
  () => crypto.createHash('sha256').digest() instanceof Buffer,
  () => crypto.createHash('nope'),
  () => crypto.createHash(),
  () => crypto.createHash('sha256').update(5),
  () => crypto.createHash('sha256').update(new ArrayBuffer(1)),
  () => { const h = crypto.createHash('md5'); h.digest(); h.update('a') },
  () => { const h = crypto.createHash('md5'); h.digest(); h.digest() },
  () => { const h = crypto.createHash('md5'); h.digest(); h.copy() },
  () => { const h = crypto.createHmac('md5', 'k'); h.digest(); return h.digest('hex') },
  () => { const h = crypto.createHmac('md5', 'k'); h.digest(); return h.update('hex') },
  () => crypto.createHmac('nope', 'k'),
  () => crypto.createHmac('sha256'),
  () => crypto.hash('sha1', 'abc'),
  () => crypto.verify(null, EMPTY, PEM, SIGNATURE),
  () => crypto.verify(undefined, EMPTY, crypto.createPublicKey(PEM), SIGNATURE),
  () => crypto.verify(null, EMPTY, { key: JWK, format: 'jwk' }, SIGNATURE),
  () => crypto.verify(null, EMPTY, Buffer.from(PEM), new Uint8Array(SIGNATURE)),
  () => crypto.verify(null, EMPTY, { key: PEM }, SIGNATURE),
  () => crypto.verify(null, EMPTY, { key: crypto.createPublicKey(PEM).export({ type: 'spki', format: 'der' }), type: 'spki', format: 'der' }, SIGNATURE),
  () => crypto.verify(null, Buffer.from('x'), PEM, SIGNATURE),
  () => crypto.verify(null, EMPTY, PEM, SIGNATURE.subarray(1)),
  () => crypto.verify(null, EMPTY, PEM, Buffer.alloc(64)),
  () => crypto.verify(null, EMPTY, PEM, 'text'),
  () => crypto.verify('sha256', EMPTY, PEM, SIGNATURE),
  async () => new Promise(resolve => crypto.verify(null, EMPTY, PEM, SIGNATURE, (error, good) => resolve([error, good]))),
  () => {
    const key = crypto.createPublicKey({ key: JWK, format: 'jwk' })
    return [key.type, key.asymmetricKeyType, key.export({ format: 'jwk' }), key.export({ type: 'spki', format: 'pem' }), key.equals(crypto.createPublicKey(PEM)), key instanceof crypto.KeyObject]
  },
  () => crypto.createPublicKey({ key: { ...JWK, x: 'aaaa' }, format: 'jwk' }),
  () => crypto.createPublicKey('nope'),
  () => crypto.createPublicKey(5),
  () => crypto.createPublicKey(crypto.createPublicKey(PEM)),
  () => [crypto.randomBytes(0).length, crypto.randomBytes(7).length, crypto.randomBytes(1.5).length],
  async () => new Promise(resolve => crypto.randomBytes(3, (error, bytes) => resolve([error, bytes.length]))),
  () => crypto.randomBytes(-1),
  () => crypto.randomBytes('a'),
  () => crypto.randomBytes(2 ** 31),
  () => [crypto.randomFillSync(new Uint16Array(3)).length, crypto.randomFillSync(Buffer.alloc(4), 2, 1).subarray(0, 2).toString('hex')],
  () => Array.from({ length: 50 }, () => crypto.randomInt(5, 8)).every(n => n >= 5 && n < 8),
  () => [crypto.randomInt(1), crypto.randomInt(2 ** 48 - 1) < 2 ** 48],
  () => crypto.randomInt(0),
  () => crypto.randomInt(5, 2),
  () => crypto.randomInt(1.5),
  () => crypto.randomInt(0, 2 ** 48),
  () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
  () => [crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('a')), crypto.timingSafeEqual(new Uint8Array(2), Buffer.from('ab'))],
  () => crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('bb')),
  () => crypto.timingSafeEqual('a', 'b')
]
