// What the programs beside this file have in common: TCP, and JSON lines both ways.
const net = require('net')

// Prints one event as a JSON line.
exports.say = (event, fields) => {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n')
}

// Calls `told` with the document of each JSON line of standard input, one after the other.
exports.listen = told => {
  let text = ''
  let last = Promise.resolve()
  process.stdin.on('data', data => {
    const lines = (text + data).split('\n')
    text = lines.pop()
    for (const line of lines) last = last.then(() => told(JSON.parse(line)))
    last.catch(exports.fail)
  })
  process.stdin.on('end', () => process.exit(0))
}

exports.fail = error => {
  console.error(error)
  process.exit(1)
}

// Pipes a new stream of `replicate()` into each connection, and says when one begins and ends.
// `address` is "PORT" to serve (0: any free one), or "HOST:PORT" to connect, which either side of a
// replication may do. Returns the port.
exports.overTCP = async (address, replicate) => {
  let number = 0
  const use = socket => {
    const connection = number++
    const stream = replicate(connection)
    let error = null
    const failed = problem => { error = error || problem.message }
    socket.setNoDelay(true)
    socket.on('error', failed)
    stream.on('error', failed)
    stream.on('error', () => socket.destroy())
    stream.on('close', () => socket.end())
    socket.on('close', () => {
      stream.destroy()
      exports.say('disconnected', { connection, error })
    })
    exports.say('connected', { connection })
    socket.pipe(stream).pipe(socket)
  }
  const [host, port] = address.includes(':') ? address.split(':') : [null, address]
  if (host !== null) {
    const socket = net.connect(Number(port), host, () => use(socket))
    socket.once('error', exports.fail)
    return Number(port)
  }
  const server = net.createServer(use).listen(Number(port), '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  return server.address().port
}

// Returns a promise of what an asynchronous method of Node's manner gives.
exports.call = (target, name, ...args) => new Promise((resolve, reject) => {
  target[name](...args, (error, value) => error ? reject(error) : resolve(value))
})

// Returns the storage of a feed or drive: a folder, or "-" for memory.
exports.storage = place => place === '-' ? () => require('random-access-memory')() : place
