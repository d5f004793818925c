// Downloads a drive from host:port with npm's hyperdrive until the stream ends by itself, and
// prints its version and all its files.
// Usage: node hyperdrive_download.js HOST PORT KEY
const net = require('net')
const hyperdrive = require('hyperdrive')
const ram = require('random-access-memory')

const [host, port, key] = process.argv.slice(2)
const drive = hyperdrive(ram, Buffer.from(key, 'hex'))
const fail = error => { console.error(error); process.exit(1) }
const call = (name, ...args) => new Promise((resolve, reject) => {
  drive[name](...args, (error, value) => error ? reject(error) : resolve(value))
})

async function files (folder, found) {
  for (const name of await call('readdir', folder)) {
    const path = folder === '/' ? '/' + name : folder + '/' + name
    const stat = await call('stat', path)
    if (stat.isDirectory()) await files(path, found)
    else found[path] = (await call('readFile', path)).toString('base64')
  }
  return found
}

drive.ready(() => {
  const socket = net.connect(port, host)
  const stream = drive.replicate()
  socket.pipe(stream).pipe(socket)
  socket.on('error', fail)
  stream.on('error', fail)
  let ended = false
  stream.on('end', async () => {
    if (ended) return
    ended = true
    const found = JSON.stringify({ version: drive.version, files: await files('/', {}) })
    process.stdout.write(found, () => process.exit(0))
  })
})
