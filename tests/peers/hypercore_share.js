// Shares a new feed with npm's hypercore on a free port, and prints port and key as JSON.
// With every line that comes on standard input one more block is appended: the line.
// With a seed its key is that seed's, and with a number the block of that number is another one.
// Usage: node hypercore_share.js COUNT live|ends [SEED(hex) [CHANGED]]
const net = require('net')
const readline = require('readline')
const hypercore = require('hypercore')
const crypto = require('hypercore-crypto')
const ram = require('random-access-memory')

const [count, mode, seed, changed] = process.argv.slice(2)
const pair = seed ? crypto.keyPair(Buffer.from(seed, 'hex')) : {}
const feed = hypercore(ram, pair.publicKey, { secretKey: pair.secretKey })
const text = index => (String(index) === changed ? 'another ' : 'block ') + index

feed.ready(() => feed.append([...Array(Number(count)).keys()].map(text), () => {
  const server = net.createServer(socket => {
    const stream = feed.replicate({ live: mode === 'live' })
    socket.pipe(stream).pipe(socket)
    socket.on('error', () => {})
    stream.on('error', error => console.error(error.message))
  })
  server.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ port: server.address().port, key: feed.key.toString('hex') }))
  })
  const lines = readline.createInterface({ input: process.stdin })
  lines.on('line', line => feed.append(line))
  lines.on('close', () => process.exit(0))
}))
