// Shares a new feed with npm's hypercore on a free port, and prints port and key as JSON.
// With every line that comes on standard input one more block is appended: the line.
// Usage: node hypercore_share.js COUNT live|ends
const net = require('net')
const readline = require('readline')
const hypercore = require('hypercore')
const ram = require('random-access-memory')

const [count, mode] = process.argv.slice(2)
const feed = hypercore(ram)

feed.ready(() => feed.append([...Array(Number(count)).keys()].map(index => 'block ' + index), () => {
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
