// Serves a feed that npm's hypercore made, over npm's hypercore-protocol, with one lie for each port.
// Usage: node hypercore_liar.js DIRECTORY FORK STRANGER [LIE…]
//   DIRECTORY  of the feed's files
//   FORK       of a fork of it, STRANGER of a feed with another key; - for none
//   LIE        names of the tables below; all of them by default
// Prints JSON lines: ready (key, length, ports by lie), connected, disconnected (error).
const hypercore = require('hypercore')
const protocol = require('hypercore-protocol')
const { call, fail, listen, overTCP, say } = require('./over_tcp')

const [directory, forked, strange, ...wanted] = process.argv.slice(2)
const open = place => place === '-' ? null : hypercore(place)
const [feed, fork, stranger] = [directory, forked, strange].map(open)
const flipped = bytes => Buffer.concat([Buffer.from([bytes[0] ^ 1]), bytes.slice(1)])
const changed = (nodes, i, fields) => nodes.map((node, at) => at === i ? { ...node, ...fields } : node)
const last = nodes => nodes.length - 1
const FAR = 2 ** 50

// Changes an honest answer {index, value, nodes, signature}; null never answers.
const answers = {
  honest: answer => answer,
  'wrong-block': answer => answer.value ? { ...answer, value: flipped(answer.value) } : answer,
  'short-block': answer => answer.value ? { ...answer, value: answer.value.slice(1) } : answer,
  'no-block': ({ value, ...answer }) => answer,
  'wrong-hash': answer => {
    const { nodes } = answer
    const at = last(nodes)
    return at < 0 ? answer : { ...answer, nodes: changed(nodes, at, { hash: flipped(nodes[at].hash) }) }
  },
  'wrong-size': answer => {
    const { nodes } = answer
    const at = last(nodes)
    return at < 0 ? answer : { ...answer, nodes: changed(nodes, at, { size: nodes[at].size + 1 }) }
  },
  'wrong-signature': answer => answer.signature ? { ...answer, signature: flipped(answer.signature) } : answer,
  'no-signature': ({ signature, ...answer }) => answer,
  'no-nodes': answer => ({ ...answer, nodes: [] }),
  'node-outside': answer => ({ ...answer, nodes: [...answer.nodes, { index: FAR, hash: Buffer.alloc(32), size: 1 }] }),
  'many-nodes': answer => ({ ...answer, nodes: Array(5000).fill({ index: 1, hash: Buffer.alloc(32), size: 1 }) }),
  'wrong-index': answer => ({ ...answer, index: answer.index + 1 }),
  'far-index': answer => ({ ...answer, index: FAR }),
  // With another key the signature is wrong; the fork's are right.
  'other-feed': (answer, request) => honest(stranger, request),
  'other-proof': async (answer, request) => ({ ...await honest(stranger, request), value: answer.value }),
  'other-history': (answer, request) => honest(fork, request),
  // The head is true, and the blocks after the first are the fork's.
  'other-blocks': (answer, request) => request.index ? honest(fork, request) : answer,
  silent: () => null,
  'half-silent': answer => answer.index % 2 ? null : answer
}

// Says something besides; the answers are honest.
const talk = {
  'claims-much': channel => channel.have({ start: 0, length: 2 ** 40 }),
  'claims-far': channel => channel.have({ start: 2 ** 45 }),
  'claims-more': channel => channel.have({ start: feed.length, length: 100 }),
  'claims-again': channel => {
    const again = setInterval(() => channel.have({ start: feed.length, length: 100 }), 50)
    channel.on('close', () => clearInterval(again))
  },
  'takes-back': channel => channel.unhave({ start: 0, length: feed.length }),
  unasked: channel => honest(feed, { index: 0 }).then(answer => channel.data(answer)),
  endless: channel => {
    let n = 0
    const more = setInterval(() => { for (let i = 0; i < 100; i++) channel.have({ start: n++ }) }, 1)
    channel.on('close', () => clearInterval(more))
  }
}

// Returns what an honest peer answers.
async function honest (from, { index, hash, nodes }) {
  const proof = await call(from, 'proof', index, { digest: nodes || 0, hash })
  const value = hash ? null : await call(from, 'get', index)
  return { index, value, nodes: proof.nodes, signature: proof.signature }
}

async function answer (lie, channel, request) {
  if (request.index >= feed.length) return // it was lied to
  const given = await (answers[lie] || answers.honest)(await honest(feed, request), request)
  if (given && !channel.closed) channel.data(given)
}

function serve (lie) {
  const stream = protocol({ live: true })
  const channel = stream.feed(feed.key)
  channel.on('request', request => answer(lie, channel, request).catch(fail))
  channel.on('want', ({ start, length }) => {
    channel.have({ start, length, bitfield: feed.bitfield.compress(start, length) })
    if (talk[lie]) talk[lie](channel)
  })
  channel.info({ uploading: true, downloading: false })
  return stream
}

async function main () {
  for (const one of [feed, fork, stranger]) if (one) await call(one, 'ready')
  const ports = {}
  for (const lie of wanted.length ? wanted : [...Object.keys(answers), ...Object.keys(talk)]) {
    if (!answers[lie] && !talk[lie]) throw new Error(`there is no lie ${lie}`)
    ports[lie] = await overTCP('0', () => serve(lie))
  }
  say('ready', { key: feed.key.toString('hex'), length: feed.length, ports })
  listen(() => fail(new Error('nothing to be told')))
}

main().catch(fail)
