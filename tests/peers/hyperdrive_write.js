// Applies operations to the drive of a directory with hyperdrive, which may make the drive anew.
// Usage: node hyperdrive_write.js DIRECTORY, then [operation, path, base64] as a JSON array on stdin.
// Prints the public keys of both feeds and the drive's version.
const hyperdrive = require('hyperdrive')
const fs = require('fs')

const archive = hyperdrive(process.argv[2])
const call = (name, ...args) => new Promise((resolve, reject) => {
  archive[name](...args, (error, value) => error ? reject(error) : resolve(value))
})

async function main () {
  await call('ready')
  let time = 1500000000000
  for (const [operation, path, data] of JSON.parse(fs.readFileSync(0, 'utf8'))) {
    const times = { mtime: ++time, ctime: time }
    if (operation === 'writeFile') await call(operation, path, Buffer.from(data, 'base64'), times)
    else if (operation === 'mkdir') await call(operation, path, times)
    else await call(operation, path)
  }
  process.stdout.write(JSON.stringify({
    metadata: archive.metadata.key.toString('hex'),
    content: archive.content.key.toString('hex'),
    version: archive.version
  }))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
