// Appends batches to a feed with npm's hypercore, making the feed if it is not there.
// Usage: node hypercore_append.js DIRECTORY PREFIX SEED(hex or -) < JSON array of arrays of base64
// Prints what hypercore says of the feed afterwards.
const fs = require('fs')
const path = require('path')
const hypercore = require('hypercore')
const crypto = require('hypercore-crypto')
const raf = require('random-access-file')

const [directory, prefix, seed] = process.argv.slice(2)
const batches = JSON.parse(fs.readFileSync(0, 'utf8'))
const storage = name => raf(path.join(directory, prefix + name))
const pair = seed === '-' ? null : crypto.keyPair(Buffer.from(seed, 'hex'))
const feed = pair
  ? hypercore(storage, pair.publicKey, { secretKey: pair.secretKey })
  : hypercore(storage)

feed.on('error', error => { throw error })
feed.ready(() => next(0))

function next (i) {
  if (i === batches.length) return done()
  feed.append(batches[i].map(block => Buffer.from(block, 'base64')), error => {
    if (error) throw error
    next(i + 1)
  })
}

function done () {
  const said = { key: feed.key.toString('hex'), length: feed.length, byteLength: feed.byteLength }
  feed.close(error => {
    if (error) throw error
    console.log(JSON.stringify(said))
  })
}
