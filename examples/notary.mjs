// notary.mjs: what carries a person's signature is kept, with its hash, the first one for each name
import { createHash, verify } from 'node:crypto'

const fs = System.files

export async function keep (name, text, publicKey, signature) {
  if (await fs.exists(`/${name}.json`)) throw new Error('This name is taken')
  const key = { key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' }
  if (!verify(null, Buffer.from(`${name}\n${text}`), key, Buffer.from(signature, 'base64url'))) {
    throw new Error('The signature does not fit')
  }
  const sha256 = createHash('sha256').update(text).digest('hex')
  await fs.writeFile(`/${name}.json`, { text, publicKey, signature, sha256 })
  return sha256
}
export const read = name => fs.readFile(`/${name}.json`, 'json')
