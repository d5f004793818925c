// Serves a feed with npm's hypercore over TCP, the feed's files being made if they are not there.
// Usage: node hypercore_serve.js DIRECTORY ADDRESS [OPTIONS]
//   DIRECTORY  of the feed's files, or - for memory
//   ADDRESS    PORT to listen on (0: any), or HOST:PORT to connect to
//   OPTIONS    JSON: count, size  append so many blocks of so many bytes to an empty feed
//                    json         valueEncoding json; a block is then a text and a newline
//                    key, seed    hex: the key of another's feed, or the seed of the key pair
//                    prefix       of the names of the feed's files
//                    live         default true; upload, download: as hypercore has them
// Standard input, JSON lines: {"append": [values: text, or with json anything]}, {"count", "size"}
// Prints JSON lines: ready (key, discoveryKey, length, byteLength, port), connected, disconnected
// (error), appended (length), uploaded (index), once for each block sent if asked with "uploads".
const path = require('path')
const hypercore = require('hypercore')
const crypto = require('hypercore-crypto')
const raf = require('random-access-file')
const { call, fail, listen, overTCP, say, storage } = require('./over_tcp')

const [directory, address, given] = process.argv.slice(2)
const options = JSON.parse(given || '{}')
const live = options.live !== false
const BATCH = 256

const pair = options.seed && crypto.keyPair(Buffer.from(options.seed, 'hex'))
const files = options.prefix ? name => raf(path.join(directory, options.prefix + name)) : storage(directory)
const feed = hypercore(files, options.key || (pair && pair.publicKey), {
  secretKey: pair && pair.secretKey,
  valueEncoding: options.json ? 'json' : 'binary'
})
feed.on('error', fail)
if (options.uploads) feed.on('upload', index => say('uploaded', { index }))

// A block tells its number, so that no two are the same.
function block (index, size) {
  if (!options.json) {
    const bytes = Buffer.alloc(size, index % 251)
    bytes.write(`block ${index}.`)
    return bytes
  }
  const empty = JSON.stringify({ seq: index, text: '' }).length + 1
  return { seq: index, text: 'x'.repeat(Math.max(0, size - empty)) }
}

async function fill (count, size) {
  const end = feed.length + count
  while (feed.length < end) {
    const wide = Math.min(BATCH, end - feed.length)
    await call(feed, 'append', Array.from({ length: wide }, (_, i) => block(feed.length + i, size)))
  }
}

async function main () {
  await call(feed, 'ready')
  if (options.count && !feed.length) await fill(options.count, options.size)
  const { upload, download } = options
  const port = await overTCP(address, () => feed.replicate({ live, upload, download }))
  say('ready', {
    key: feed.key.toString('hex'),
    discoveryKey: feed.discoveryKey.toString('hex'),
    length: feed.length,
    byteLength: feed.byteLength,
    port
  })
  listen(async told => {
    if (told.append) await call(feed, 'append', told.append)
    else await fill(told.count, told.size)
    say('appended', { length: feed.length })
  })
}

main().catch(fail)
