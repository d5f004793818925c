// Speaks npm's hypercore-protocol on stdin and stdout and sends each message back to its sender.
// What it heard goes to stderr, a JSON text a line.
// Usage: node protocol_peer.js opens|answers KEYS(hex, comma between) EXTENSIONS(comma between)
const protocol = require('hypercore-protocol')

const [role, keys, extensions] = process.argv.slice(2)
const tell = value => process.stderr.write(JSON.stringify(value) + '\n')
const kinds = ['info', 'have', 'unhave', 'want', 'unwant', 'request', 'cancel', 'data']

const stream = protocol({
  id: Buffer.alloc(32, 'n'),
  live: true,
  ack: true,
  userData: Buffer.from('npm'),
  extensions: extensions.split(',')
})

function open (key) {
  const feed = stream.feed(key)
  for (const kind of kinds) {
    feed.on(kind, message => feed[kind](message))
  }
  feed.on('extension', (name, payload) => feed.extension(name, payload))
}

const known = keys.split(',').map(key => Buffer.from(key, 'hex'))
if (role === 'opens') known.forEach(open)
else {
  let next = 0
  stream.on('feed', () => { if (next < known.length) open(known[next++]) })
}

stream.on('handshake', () => tell({
  id: stream.remoteId.toString(),
  live: stream.remoteLive,
  ack: stream.remoteAck,
  userData: stream.remoteUserData && stream.remoteUserData.toString(),
  supports: extensions.split(',').filter(name => stream.remoteSupports(name))
}))
stream.on('error', error => tell({ error: error.message }))
process.stdin.pipe(stream).pipe(process.stdout)
