// What finds peers in `dat` 13 (dns-discovery) or in `dat` 14 (@hyperswarm/discovery): argument 13 or 14.
// Obeys lines on stdin, `announce KEY PORT` and `lookup KEY`; prints a line of JSON for each peer found.
const readline = require('readline')

const generation = process.argv[2]
const found = (key, peer) => console.log(JSON.stringify({ key, host: peer.host, port: peer.port }))
const program = generation === '13' ? thirteen() : fourteen()
const lines = readline.createInterface({ input: process.stdin })
lines.on('line', line => {
  const [order, key, port] = line.split(' ')
  program[order](key, Number(port))
})
lines.on('close', () => process.exit(0))

function thirteen () {
  const channel = require('discovery-channel')({
    dns: { server: [], domain: 'dat.local' }, dht: false, hash: false
  })
  channel.on('peer', (key, peer) => found(key.toString('hex'), peer))
  return {
    announce: (key, port) => channel.join(Buffer.from(key, 'hex'), port),
    lookup: key => channel.join(Buffer.from(key, 'hex'))
  }
}

function fourteen () {
  const swarm = require('@hyperswarm/discovery')({ bootstrap: [] })
  return {
    announce: (key, port) => swarm.announce(Buffer.from(key, 'hex'), { port }),
    lookup: key => swarm.lookup(Buffer.from(key, 'hex')).on('peer', peer => found(key, peer))
  }
}
