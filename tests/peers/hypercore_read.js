// Reads and audits a feed with npm's hypercore.
// Usage: node hypercore_read.js DIRECTORY PREFIX PROOFS(JSON array of block indexes)
const path = require('path')
const hypercore = require('hypercore')
const raf = require('random-access-file')

const [directory, prefix, wanted] = process.argv.slice(2)
const feed = hypercore(name => raf(path.join(directory, prefix + name)))
const call = (name, ...args) => new Promise((resolve, reject) => {
  feed[name](...args, (error, value) => error ? reject(error) : resolve(value))
})

async function main () {
  await new Promise(resolve => feed.ready(resolve))
  const blocks = feed.length ? await call('getBatch', 0, feed.length) : []
  const proofs = {}
  for (const index of JSON.parse(wanted)) {
    const { nodes, signature } = await call('proof', index)
    proofs[index] = {
      nodes: nodes.map(({ index, hash, size }) => [index, hash.toString('hex'), size]),
      signature: signature.toString('hex')
    }
  }
  const audit = await call('audit')
  console.log(JSON.stringify({
    key: feed.key.toString('hex'),
    discoveryKey: feed.discoveryKey.toString('hex'),
    writable: feed.writable,
    length: feed.length,
    byteLength: feed.byteLength,
    has: feed.downloaded(0, feed.length),
    blocks: blocks.map(block => block.toString('base64')),
    proofs,
    audit
  }))
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
