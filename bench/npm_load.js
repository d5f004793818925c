// Calls a server with nodevms-client@2.0.0, always so many at a time; prints what each call took.
// Arguments: the folder with node_modules, the address, calls in flight, seconds.
const path = require('path')
const [packages, address, inFlight, seconds] = process.argv.slice(2)
const RPCClient = require(path.join(packages, 'node_modules', 'nodevms-client'))

async function main () {
  const client = new RPCClient()
  client.on('error', () => {}) // it emits what connect() rejects with a second time
  await client.connect(`ws://${address}`)
  const times = []
  const start = process.hrtime.bigint()
  const end = start + BigInt(Math.round(Number(seconds) * 1e9))
  async function worker () {
    for (let begin; (begin = process.hrtime.bigint()) < end;) {
      await client.increment()
      times.push(Number(process.hrtime.bigint() - begin) / 1e9)
    }
  }
  await Promise.all(Array.from({ length: Number(inFlight) }, worker))
  const took = Number(process.hrtime.bigint() - start) / 1e9
  process.stdout.write(JSON.stringify({ times, seconds: took }), () => process.exit(0))
}

main()
