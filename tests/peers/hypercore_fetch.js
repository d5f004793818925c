// Downloads a feed with npm's hypercore over TCP.
// Usage: node hypercore_fetch.js KEY DIRECTORY ADDRESS [OPTIONS]
//   KEY        hex
//   DIRECTORY  for the feed's files, or - for memory
//   ADDRESS    HOST:PORT to connect to, or PORT to listen on (0: any)
//   OPTIONS    JSON: live    default false: end when both sides are done, which a live one never is
//                    leave   end when everything is there
//                    sparse  fetch nothing but what is asked for
//                    json    valueEncoding json
//                    stream  print all values as they come, as one followed a log in 2017
//                    hash    default true: say the hash of all blocks when they are there
// Standard input, JSON lines: {"get": index}
// Prints JSON lines: ready (port, length), connected, disconnected (error), appended (length), value
// (seq, value), block (index, value: base64 or what json made of it, or error), and synced (length,
// byteLength, ms since the connection, sha256 of the blocks end to end) each time all is there.
const crypto = require('crypto')
const hypercore = require('hypercore')
const { call, fail, listen, overTCP, say, storage } = require('./over_tcp')

const [key, directory, address, given] = process.argv.slice(2)
const options = JSON.parse(given || '{}')
const live = !!options.live
const feed = hypercore(storage(directory), key, {
  sparse: !!options.sparse,
  valueEncoding: options.json ? 'json' : 'binary'
})
feed.on('error', fail)
feed.on('append', () => say('appended', { length: feed.length }))
feed.on('sync', () => synced().catch(fail))

let begin = 0

async function synced () {
  const { length, byteLength } = feed
  const ms = Number(process.hrtime.bigint() - begin) / 1e6
  if (!length) return
  const hash = crypto.createHash('sha256')
  for (let i = 0; i < length && options.hash !== false; i++) {
    hash.update(await call(feed, 'get', i, { valueEncoding: 'binary' }))
  }
  say('synced', { length, byteLength, ms, sha256: hash.digest('hex') })
  if (options.leave) process.exit(0)
}

async function get (index) {
  try {
    const value = await call(feed, 'get', index)
    say('block', { index, value: options.json ? value : value.toString('base64') })
  } catch (error) {
    say('block', { index, error: error.message })
  }
}

function follow () {
  let seq = 0
  feed.createReadStream({ live }).on('error', fail).on('data', value => {
    say('value', { seq: seq++, value: options.json ? value : value.toString('base64') })
  })
}

async function main () {
  await call(feed, 'ready')
  const port = await overTCP(address, () => {
    begin = process.hrtime.bigint()
    const stream = feed.replicate({ live })
    if (!live) stream.on('end', () => setImmediate(() => feed.close(() => process.exit(0))))
    return stream
  })
  say('ready', { port, length: feed.length })
  if (options.stream) follow()
  listen(told => get(told.get))
}

main().catch(fail)
