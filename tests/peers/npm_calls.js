// Makes calls one after the other with nodevms-client@2.0.0 from npm, and prints how each ended.
// Reads [url, user, [[method, args], ...]] as JSON on stdin.
const RPCClient = require('nodevms-client')

async function main () {
  const [url, user, calls] = JSON.parse(require('fs').readFileSync(0, 'utf8'))
  const client = new RPCClient({ timeout: 30000 })
  await client.connect(url, user ? { user } : {})
  const closed = new Promise((resolve, reject) => {
    client.once('close', () => reject(new Error('the connection was closed')))
  })
  closed.catch(() => {})
  const ends = []
  for (const [method, args] of calls) {
    try {
      const value = await Promise.race([client[method](...args), closed])
      ends.push(value === undefined ? { undefined: true } : { value })
    } catch (error) {
      ends.push({ error: error instanceof Error ? { message: error.message } : error })
    }
  }
  console.log(JSON.stringify(ends))
  process.exit(0)
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
