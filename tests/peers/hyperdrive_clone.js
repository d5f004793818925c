// Brings a clone that keeps only the latest version up to date with the drive of a directory.
// Usage: node hyperdrive_clone.js SOURCE CLONE
// Prints the clone's version and, as base64, every file whose blocks it holds.
const hyperdrive = require('hyperdrive')

const source = hyperdrive(process.argv[2])
const call = (target, name, ...args) => new Promise((resolve, reject) => {
  target[name](...args, (error, value) => error ? reject(error) : resolve(value))
})

async function files (drive, folder, found) {
  for (const name of await call(drive, 'readdir', folder)) {
    const path = folder === '/' ? '/' + name : folder + '/' + name
    const stat = await call(drive, 'stat', path)
    if (stat.isDirectory()) await files(drive, path, found)
    else if (drive.content.has(stat.offset, stat.offset + stat.blocks)) {
      found[path] = (await call(drive, 'readFile', path, { cached: true })).toString('base64')
    }
  }
  return found
}

source.ready(() => {
  const clone = hyperdrive(process.argv[3], source.key, { latest: true })
  clone.on('sync', async () => {
    if (clone.version !== source.version) return
    process.stdout.write(JSON.stringify({
      version: clone.version,
      files: await files(clone, '/', {})
    }))
    process.exit(0)
  })
  clone.ready(() => {
    const stream = source.replicate({ live: true })
    stream.pipe(clone.replicate({ live: true })).pipe(stream)
  })
})
setTimeout(() => {
  console.error('the clone never came up to date')
  process.exit(1)
}, 20000)
