// Downloads a drive with npm's hyperdrive over TCP, its latest version as `dat clone` does.
// Usage: node hyperdrive_fetch.js KEY DIRECTORY TARGET ADDRESS [OPTIONS]
//   KEY        hex
//   DIRECTORY  for the drive's files, or - for memory
//   TARGET     folder that each version is written to when it is there, or - for none
//   ADDRESS    HOST:PORT to connect to, or PORT to listen on (0: any)
//   OPTIONS    JSON: live    default false: end when both sides are done, which a live one never is
//                    leave   end when everything is there
//                    latest  default true; false fetches what older versions had too, and only then
//                            do hyperdrive's streams end
// Prints JSON lines: ready (port), connected, disconnected (error), and synced (version, files, bytes,
// ms since the connection) when every file of the latest version is there.
const fs = require('fs')
const path = require('path')
const hyperdrive = require('hyperdrive')
const { call, fail, listen, overTCP, say, storage } = require('./over_tcp')

const [key, directory, target, address, given] = process.argv.slice(2)
const options = JSON.parse(given || '{}')
const live = !!options.live
const drive = hyperdrive(storage(directory), key, { latest: options.latest !== false })
drive.on('error', fail)

let begin = 0
let last = Promise.resolve()
drive.on('sync', here)
if (options.latest === false) {
  drive.on('content', () => {
    for (const feed of [drive.metadata, drive.content]) feed.on('sync', () => { if (whole()) here() })
  })
}

function whole () {
  return [drive.metadata, drive.content].every(feed => feed.length && feed.downloaded() === feed.length)
}

function here () {
  const ms = Number(process.hrtime.bigint() - begin) / 1e6
  const { version } = drive
  last = last.then(() => synced(version, ms)).catch(fail)
}

async function walk (tree, folder, seen) {
  for (const name of await call(tree, 'readdir', folder)) {
    const at = path.posix.join(folder, name)
    const stat = await call(tree, 'stat', at)
    if (stat.isDirectory()) await walk(tree, at, seen)
    else seen.push([at, stat.size, await content(tree, at, stat)])
  }
  return seen
}

async function content (tree, at, stat) {
  if (target === '-') return null
  return stat.size ? call(tree, 'readFile', at) : Buffer.alloc(0)
}

async function synced (version, ms) {
  if (version !== drive.version) return // a later one is under way
  const files = version ? await walk(drive.checkout(version), '/', []) : []
  if (target !== '-') {
    fs.rmSync(target, { recursive: true, force: true })
    fs.mkdirSync(target, { recursive: true })
  }
  for (const [at, , data] of files) {
    if (data === null) continue
    fs.mkdirSync(path.join(target, path.dirname(at)), { recursive: true })
    fs.writeFileSync(path.join(target, at), data)
  }
  const bytes = files.reduce((sum, [, size]) => sum + size, 0)
  say('synced', { version, files: files.length, bytes, ms })
  if (options.leave && version) process.exit(0)
}

async function main () {
  const port = await overTCP(address, () => {
    begin = process.hrtime.bigint()
    const stream = drive.replicate({ live })
    if (!live) stream.on('end', () => last.then(() => process.exit(0)))
    return stream
  })
  say('ready', { port })
  listen(() => fail(new Error('nothing to be told')))
}

main().catch(fail)
