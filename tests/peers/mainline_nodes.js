// A little mainline DHT of npm's bittorrent-dht nodes on loopback. Prints the bootstrap node's port, then
// obeys lines on stdin, `announce HASH PORT` and `lookup HASH`, each by a node of its own that knows
// the bootstrap node alone; answers each with a line of JSON. Ends with stdin.
const readline = require('readline')

const others = []

function say (value) {
  process.stdout.write(JSON.stringify(value) + '\n')
}

import('bittorrent-dht').then(({ Client }) => {
  const bootstrap = new Client({ bootstrap: false, host: '127.0.0.1' })
  bootstrap.listen(0, '127.0.0.1', () => {
    const at = '127.0.0.1:' + bootstrap.address().port
    say({ port: bootstrap.address().port })
    const lines = readline.createInterface({ input: process.stdin })
    lines.on('line', line => obey(Client, at, line.split(' ')))
    lines.on('close', () => process.exit(0))
  })
})

function obey (Client, at, [order, hash, port]) {
  const node = new Client({ bootstrap: [at], host: '127.0.0.1' })
  others.push(node)
  node.listen(0, '127.0.0.1', () => {
    if (order === 'announce') return node.announce(hash, Number(port), error => say({ error: error ? error.message : null }))
    const peers = []
    node.on('peer', peer => peers.push([peer.host, peer.port]))
    node.lookup(hash, (error, count) => say({ error: error ? error.message : null, count, peers }))
  })
}
