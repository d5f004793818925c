// Downloads a feed from host:port with npm's hypercore, as programs of 2017 do, and prints what it
// got as JSON texts, a line each.
// Usage: node hypercore_download.js HOST PORT KEY MODE COUNT [DIRECTORY]
//   MODE all: everything, then the end of the stream; sparse: every block whose index is given in
//   COUNT (comma between); live: waits for COUNT blocks; json: as all, with valueEncoding json
const net = require('net')
const hypercore = require('hypercore')
const ram = require('random-access-memory')

const [host, port, key, mode, count, directory] = process.argv.slice(2)
const tell = (value, then) => process.stdout.write(JSON.stringify(value) + '\n', then)
const tellAndEnd = value => tell(value, () => process.exit(0))
const feed = hypercore(directory || ram, Buffer.from(key, 'hex'), {
  sparse: mode === 'sparse',
  valueEncoding: mode === 'json' ? 'json' : 'binary'
})
const shown = block => mode === 'json' ? block : block.length > 99 ? block.length : block.toString()
const fail = error => { console.error(error); process.exit(1) }
const get = index => new Promise((resolve, reject) => {
  feed.get(index, (error, block) => error ? reject(error) : resolve(block))
})

feed.ready(() => {
  const began = Date.now()
  const socket = net.connect(port, host)
  const stream = feed.replicate({ live: mode === 'live' || mode === 'sparse' })
  socket.pipe(stream).pipe(socket)
  socket.on('error', fail)
  stream.on('error', fail)
  if (mode === 'all' || mode === 'json') {
    let ended = false
    stream.on('end', async () => {
      if (ended) return
      ended = true
      const ms = Date.now() - began
      const indexes = [...Array(feed.length).keys()]
      const kept = count === '0' ? [] : (await Promise.all(indexes.map(get))).map(shown)
      tellAndEnd({ length: feed.length, has: feed.downloaded(0, feed.length), blocks: kept, ms })
    })
  } else if (mode === 'sparse') {
    const wanted = count.split(',').map(Number)
    Promise.all(wanted.map(get)).then(blocks => {
      const has = feed.downloaded(0, feed.length)
      tellAndEnd({ length: feed.length, has, blocks: blocks.map(shown) })
    }, fail)
  } else {
    let index = 0
    const next = async () => {
      while (index < Number(count) - 1) tell(shown(await get(index++)))
      tellAndEnd(shown(await get(index)))
    }
    next().catch(fail)
  }
})
