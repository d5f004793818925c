// Prints, as one JSON text, all that hyperdrive finds in the drive of a directory.
// Usage: node hyperdrive_read.js DIRECTORY VERSIONS(JSON array)
const hyperdrive = require('hyperdrive')
const collect = require('stream-collector')

const archive = hyperdrive(process.argv[2])
const versions = JSON.parse(process.argv[3])
const call = (target, name, ...args) => new Promise((resolve, reject) => {
  target[name](...args, (error, value) => error ? reject(error) : resolve(value))
})
const stream = (source) => new Promise((resolve, reject) => {
  collect(source, (error, items) => error ? reject(error) : resolve(items))
})

// A file may have files below it: nothing in hyperdrive forbids that.
async function visit (drive, folder, isFolder, found) {
  const names = await call(drive, 'readdir', folder)
  if (names.length || isFolder) found.readdir[folder] = names
  for (const name of names) {
    const path = folder === '/' ? '/' + name : folder + '/' + name
    const stat = await call(drive, 'stat', path)
    found.stat[path] = {
      mode: stat.mode,
      size: stat.size,
      mtime: stat.mtime.getTime(),
      offset: stat.offset,
      byteOffset: stat.byteOffset
    }
    if (stat.isFile()) {
      found.files[path] = (await call(drive, 'readFile', path)).toString('base64')
      const half = Math.floor(stat.size / 2)
      const rest = await stream(drive.createReadStream(path, { start: half }))
      found.halves[path] = Buffer.concat(rest).toString('base64')
    }
    await visit(drive, path, stat.isDirectory(), found)
  }
}

async function main () {
  await call(archive, 'ready')
  const out = { version: archive.version, versions: {}, diffs: [] }
  let previous = 0
  for (const version of versions) {
    const found = { readdir: {}, stat: {}, files: {}, halves: {} }
    await visit(archive.checkout(version), '/', true, found)
    out.versions[version] = found
    const diff = await stream(archive.checkout(previous).createDiffStream(version))
    out.diffs.push(diff.map((item) => [item.type, item.name]))
    previous = version
  }
  const history = await stream(archive.history())
  out.history = history.map((item) => [item.version, item.type, item.name])
  process.stdout.write(JSON.stringify(out))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
