// Drives nodevms-client@2.0.0 from npm, unmodified, for test_nodevms_client.py.
// Reads one JSON object a line on stdin, {id, step, ...}, and answers each with one on stdout.
const readline = require('readline')
const RPCClient = require('nodevms-client')
const WebSocketClient = require('rpc-websockets').Client

const clients = new Map()

// What a caller can see of a value, undefined and Error objects included.
function shown (value) {
  if (value === undefined) return { type: 'undefined' }
  if (value instanceof Error) return { type: 'Error', message: value.message }
  return { type: 'json', value }
}

async function outcome (promise) {
  try {
    return { resolved: shown(await promise) }
  } catch (error) {
    return { rejected: shown(error) }
  }
}

const steps = {
  async connect ({ name, url, opts, timeout }) {
    const client = new RPCClient(timeout ? { timeout } : undefined)
    clients.set(name, client)
    client.on('error', () => {}) // it emits what connect() rejects with a second time
    return outcome(client.connect(url, opts || undefined))
  },
  async info ({ name }) {
    return { resolved: shown(clients.get(name).backendInfo) }
  },
  async call ({ name, method, args }) {
    return outcome(clients.get(name)[method](...args))
  },
  async has ({ name, method }) {
    return { resolved: shown(Object.prototype.hasOwnProperty.call(clients.get(name), method)) }
  },
  async flood ({ name, method, count }) {
    const calls = []
    for (let i = 0; i < count; i++) calls.push(outcome(clients.get(name)[method](i)))
    return { resolved: shown(await Promise.all(calls)) }
  },
  async reconnect ({ name }) {
    const client = clients.get(name)
    await new Promise(resolve => client.once('close', resolve))
    await new Promise(resolve => client.once('open', resolve))
    return { resolved: shown('open') }
  },
  async close ({ name }) {
    clients.get(name).close()
    return { resolved: shown(null) }
  },
  // A text as it is, through the client's own socket, and the text that comes back.
  async text ({ url, text }) {
    const client = new WebSocketClient(url)
    await new Promise((resolve, reject) => {
      client.on('open', resolve)
      client.on('error', reject)
    })
    const answer = new Promise(resolve => client.socket.once('message', resolve))
    client.socket.send(text)
    const received = await answer
    client.close()
    return { resolved: shown(received) }
  },
  // The same package's own client, for methods that the handshake does not list.
  async raw ({ url, method, params }) {
    const client = new WebSocketClient(url)
    await new Promise((resolve, reject) => {
      client.on('open', resolve)
      client.on('error', reject)
    })
    const result = await outcome(params === undefined ? client.call(method) : client.call(method, params))
    client.close()
    return result
  }
}

const lines = readline.createInterface({ input: process.stdin })
lines.on('close', () => process.exit()) // a client that reconnects would keep the process alive
lines.on('line', async line => {
  const { id, step, ...options } = JSON.parse(line)
  console.log(JSON.stringify({ id, ...await steps[step](options) }))
})
