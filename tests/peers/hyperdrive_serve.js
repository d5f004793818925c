// Serves a drive with npm's hyperdrive over TCP, the drive being made if it is not there.
// Usage: node hyperdrive_serve.js DIRECTORY SOURCE ADDRESS [OPTIONS]
//   DIRECTORY  of the drive's files, or - for memory
//   SOURCE     folder whose files are written to an empty drive, or - for none
//   ADDRESS    PORT to listen on (0: any), or HOST:PORT to connect to
//   OPTIONS    JSON: live (default true), key (hex, of another's drive)
// Standard input, JSON lines: {"write": path, "data": base64}, {"remove": path}, {"mkdir": path}
// Prints JSON lines: ready (key, contentKey, version, port), connected, disconnected (error), changed
// (version).
const fs = require('fs')
const path = require('path')
const hyperdrive = require('hyperdrive')
const { call, fail, listen, overTCP, say, storage } = require('./over_tcp')

const [directory, source, address, given] = process.argv.slice(2)
const options = JSON.parse(given || '{}')
const live = options.live !== false
const drive = hyperdrive(storage(directory), options.key)
drive.on('error', fail)

async function take (folder, into) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1)) {
    const from = path.join(folder, entry.name)
    const to = path.posix.join(into, entry.name)
    if (entry.isDirectory()) await take(from, to)
    else await call(drive, 'writeFile', to, fs.readFileSync(from))
  }
}

async function change (told) {
  if (told.write) await call(drive, 'writeFile', told.write, Buffer.from(told.data, 'base64'))
  else if (told.remove) await call(drive, 'unlink', told.remove)
  else await call(drive, 'mkdir', told.mkdir)
  say('changed', { version: drive.version })
}

async function main () {
  await call(drive, 'ready')
  if (source !== '-' && !drive.version) await take(source, '/')
  const port = await overTCP(address, () => drive.replicate({ live }))
  say('ready', {
    key: drive.key.toString('hex'),
    contentKey: drive.content && drive.content.key.toString('hex'),
    version: drive.version,
    port
  })
  listen(change)
}

main().catch(fail)
