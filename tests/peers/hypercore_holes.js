// Replicates blocks of one feed into another, in a given order, with npm's hypercore.
// Usage: node hypercore_holes.js FROM TO SEED(hex) < JSON array of steps
// A step is {append: [base64…]}, {fill: count} (appends small blocks) or {get: index}. Prints for each
// get what the reader asked with and what the writer answered, and in the end what the reader has.
const fs = require('fs')
const path = require('path')
const hypercore = require('hypercore')
const crypto = require('hypercore-crypto')
const raf = require('random-access-file')

const [from, to, seed] = process.argv.slice(2)
const steps = JSON.parse(fs.readFileSync(0, 'utf8'))
const pair = crypto.keyPair(Buffer.from(seed, 'hex'))
const at = directory => name => raf(path.join(directory, name))
const writer = hypercore(at(from), pair.publicKey, { secretKey: pair.secretKey })
const reader = hypercore(at(to), pair.publicKey, { sparse: true })
const call = (feed, name, ...args) => new Promise((resolve, reject) => {
  feed[name](...args, (error, value) => error ? reject(error) : resolve(value))
})

async function main () {
  await new Promise(resolve => writer.ready(resolve))
  await new Promise(resolve => reader.ready(resolve))
  const replies = []
  for (const step of steps) {
    if (step.append) await call(writer, 'append', step.append.map(block => Buffer.from(block, 'base64')))
    if (step.fill) {
      const first = writer.length
      await call(writer, 'append', Array.from({ length: step.fill }, (_, i) => Buffer.from(`${first + i}`)))
    }
    if (step.get === undefined) continue
    const digest = reader.digest(step.get)
    const { nodes, signature } = await call(writer, 'proof', step.get, { digest })
    const block = await call(writer, 'get', step.get)
    replies.push({
      digest,
      block: block.toString('base64'),
      nodes: nodes.map(({ index, hash, size }) => [index, hash.toString('hex'), size]),
      signature: signature ? signature.toString('hex') : ''
    })
    await call(reader, 'put', step.get, block, { nodes, signature })
  }
  const has = []
  for (let i = 0; i < reader.length; i++) if (reader.has(i)) has.push(i)
  const blocks = []
  for (const i of has.slice(0, 50)) blocks.push((await call(reader, 'get', i)).toString('base64'))
  console.log(JSON.stringify({ replies, length: reader.length, byteLength: reader.byteLength, has, blocks }))
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
