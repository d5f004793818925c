// Scripts that make an instruction of the guest, or a request to the host, as slow as we know how.
// `run(name)` goes on until a limit stops it. `prepare(name)` is called before it, again and again until
// it returns true: a hostile script may fill its memory in earlier calls, for as long as it likes.

const fs = System.files
const MIB = 1024 * 1024
let kept = null
let preparing = null

// A cheap random number below n; Math.random would ask the host.
let seed = 12345
const random = n => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) % n

function shuffle (order) {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random(i + 1)
    const swap = order[i]
    order[i] = order[j]
    order[j] = swap
  }
  return order
}

function shuffled (n) {
  const order = new Int32Array(n)
  for (let i = 0; i < n; i++) order[i] = i
  return shuffle(order)
}

// Goes through 0 to n - 1, with a rest after so many: preparations may take many calls.
function * parts (n, each, work) {
  for (let i = 0; i < n; i++) {
    work(i)
    if (i % each === each - 1) yield
  }
}

function * slowlyShuffled (n) {
  const order = new Int32Array(n)
  yield * parts(n, 20000, i => { order[i] = i })
  yield * parts(n, 20000, i => {
    const j = random(n - i) + i
    const swap = order[i]
    order[i] = order[j]
    order[j] = swap
  })
  return order
}

// One cycle through all of n nodes in random order.
function * linked (n, make, link) {
  const nodes = []
  yield * parts(n, 20000, () => { nodes.push(make()) })
  const order = yield * slowlyShuffled(n)
  yield * parts(n, 20000, i => { link(nodes[order[i]], nodes[order[(i + 1) % n]]) })
  return nodes[0]
}

function * cycle (n) {
  const order = yield * slowlyShuffled(n)
  const next = new Int32Array(n)
  yield * parts(n, 20000, i => { next[order[i]] = order[(i + 1) % n] })
  return next
}

const linkedObjects = () => linked(380000, () => ({ next: null }), (a, b) => { a.next = b })

function * scattered (n, make) {
  const all = []
  yield * parts(n, 20000, i => { all.push(make(i)) })
  const order = yield * slowlyShuffled(n)
  const result = []
  yield * parts(n, 20000, i => { result.push(all[order[i]]) })
  return result
}

const scatteredTexts = () => scattered(500000, i => i + '-' + i)

// Strings of which all have one hash in QuickJS, h * 263 + c modulo 2 ** 32: a pair of characters
// counts as much as the one before it plus 1 and the one after it less 263.
function sameHash (number, pairs) {
  let text = ''
  for (let i = 0; i < pairs; i++) text += number >> i & 1 ? '\u1000\u2107' : '\u1001\u2000'
  return text
}

// Strings of which all have the lowest 20 bits of their hashes: 263 * 3987 is 2 ** 20 + 5.
function sameBucket (number, pairs) {
  let text = ''
  for (let i = 0; i < pairs; i++) text += number >> i & 1 ? '\u1000\u2005' : '\u1f93\u2000'
  return text
}

// Does the work for all numbers below n in random order, with a kilobyte of memory after each.
function * chained (n, work) {
  const order = yield * slowlyShuffled(n)
  const between = []
  yield * parts(n, 100, i => {
    work(order[i])
    between.push(new ArrayBuffer(1000))
  })
}

async function fillFolder (folder, count) {
  for (let i = 0; i < count; i++) await fs.writeFile(`${folder}/${String(i).padStart(6, '0')}`, '')
}

// Makes `count` files, in folders of a thousand.
async function * manyFiles (count) {
  for (let n = 0; n < count / 1000; n++) {
    await fillFolder('/many/' + n, 1000)
    yield
  }
}

const cases = {
  'empty loop': { run () { for (;;); } },
  'links of objects, random order': {
    * prepare () { kept = yield * linkedObjects() },
    run () { for (let node = kept; ;) node = node.next.next.next.next.next.next.next.next }
  },
  'links of arrays, random order': {
    * prepare () { kept = yield * linked(380000, () => [null], (a, b) => { a[0] = b }) },
    run () { for (let node = kept; ;) node = node[0][0][0][0][0][0][0][0] }
  },
  'indexes in a typed array, random order': {
    * prepare () { kept = yield * cycle(5 * MIB) },
    run () { const next = kept; for (let i = 0; ;) i = next[next[next[next[next[next[next[next[i]]]]]]]] }
  },
  'writes into a typed array, random order': {
    * prepare () { kept = yield * cycle(5 * MIB) },
    run () { const next = kept; for (let i = 0; ;) { i = next[i]; next[i] = next[i] } }
  },
  'prototype chain of scattered objects': {
    * prepare () {
      let holes = yield * linked(150000, () => ({ next: null, size: [1] }), (a, b) => { a.next = b })
      let last = null
      yield * parts(75000, 5000, () => {
        const next = holes.next
        holes.next = holes.size = null
        holes = next
        last = Object.create(last)
      })
      kept = [last, holes]
    },
    run () { const chain = kept[0]; for (;;) chain.nothing }
  },
  'instanceof along scattered prototypes': {
    * prepare () { yield * cases['prototype chain of scattered objects'].prepare() },
    run () { const f = function () {}; const chain = kept[0]; for (;;) chain instanceof f }
  },
  'setPrototypeOf over scattered prototypes': {
    * prepare () { yield * cases['prototype chain of scattered objects'].prepare() },
    run () { const chain = kept[0]; const o = {}; for (;;) { Object.setPrototypeOf(o, chain); Object.setPrototypeOf(o, null) } }
  },
  'names with one hash': {
    * prepare () { kept = {}; yield * chained(8192, i => { kept[sameHash(i, 14)] = 1 }) },
    run () { const o = {}; for (let i = 0; ; i++) o[sameHash(i % 8192, 15)] }
  },
  'names in one bucket': {
    * prepare () { kept = {}; yield * chained(16384, i => { kept[sameBucket(i, 14)] = 1 }) },
    run () { const name = sameBucket(0, 15); for (;;) Symbol.for(name) }
  },
  'Map with keys of one hash': {
    * prepare () { kept = new Map(); yield * chained(8192, i => { kept.set(sameHash(i, 14), 1) }) },
    run () { const map = kept; const key = sameHash(0, 15); for (;;) map.get(key) }
  },
  'Map with numbers in one bucket': {
    * prepare () { kept = new Map(); yield * chained(16384, i => { kept.set(i * 65536, 1) }) },
    run () { const map = kept; for (;;) map.get(-65536) }
  },
  'Map with random keys': {
    * prepare () {
      kept = new Map()
      yield * parts(500000, 20000, i => { kept.set(random(0x7fffffff), i) })
    },
    run () { const map = kept; for (;;) map.get(random(0x7fffffff)) }
  },
  'Map, forEach after a shuffle': {
    * prepare () {
      kept = new Map()
      const order = yield * slowlyShuffled(300000)
      yield * parts(order.length, 20000, i => { kept.set(order[i], 0) })
      const again = yield * slowlyShuffled(300000)
      yield * parts(again.length, 20000, i => { kept.delete(again[i]); kept.set(again[i], 0) })
    },
    run () { for (;;) kept.forEach(Boolean) }
  },
  'Set operations': {
    * prepare () {
      kept = [new Set(), new Set()]
      for (const set of kept) {
        const order = yield * slowlyShuffled(100000)
        yield * parts(order.length, 20000, i => { set.add(order[i]) })
      }
    },
    run () { for (;;) kept[0].isSubsetOf(kept[1]) }
  },
  'object with names in one bucket': {
    * prepare () {
      kept = {}
      yield * parts(20000, 100, i => { kept[i * 65536] = 1 })
    },
    run () { const o = kept; for (;;) o[0x7ffe0000] }
  },
  'object with 300,000 names': {
    * prepare () {
      kept = {}
      yield * parts(300000, 5000, i => { kept['k' + i] = i })
    },
    run () { for (;;) kept['k' + random(300000)] }
  },
  'includes in scattered strings': {
    * prepare () { kept = yield * scatteredTexts() },
    run () { for (;;) kept.includes('nothing12') }
  },
  'lastIndexOf in scattered BigInts': {
    * prepare () { kept = yield * scattered(400000, i => BigInt(i) << 70n) },
    run () { const x = 1n << 69n; for (;;) kept.lastIndexOf(x) }
  },
  'join of scattered strings': {
    * prepare () { kept = yield * scatteredTexts() },
    run () { for (;;) kept.join('').length }
  },
  'sort with scattered strings': {
    * prepare () { kept = yield * scatteredTexts() },
    run () { for (;;) kept.toSorted() }
  },
  'sort with a function': { run () { for (;;) shuffled(100000).sort((a, b) => a - b) } },
  'sort of a typed array': { run () { for (;;) shuffled(4 * MIB).sort() } },
  'sort of 100,000 numbers as texts': { run () { for (;;) Array.from(shuffled(100000)).sort() } },
  'fill of a typed array': { run () { const a = new Uint8Array(48 * MIB); for (;;) a.fill(1) } },
  'copyWithin of a typed array': { run () { const a = new Uint8Array(48 * MIB); for (;;) a.copyWithin(1, 0) } },
  'slice of a typed array': { run () { const a = new Uint8Array(24 * MIB); for (;;) a.slice() } },
  'set of a typed array': { run () { const a = new Uint8Array(24 * MIB); const b = new Uint8Array(24 * MIB); for (;;) b.set(a) } },
  'reverse of a typed array': { run () { const a = new Uint8Array(48 * MIB); for (;;) a.reverse() } },
  'indexOf in a typed array': { run () { const a = new Float64Array(6 * MIB); for (;;) a.indexOf(1) } },
  'new ArrayBuffers': { run () { for (;;) new ArrayBuffer(40 * MIB) } },
  'growing of memory': { run () { for (let n = 1; ; n = n % 50 + 1) new ArrayBuffer(n * MIB) } },
  'fill of an array': { run () { const a = new Array(4 * MIB).fill(0); for (;;) a.fill(1) } },
  'strided reads of an array': {
    run () { const a = new Array(4 * MIB).fill(0); for (;;) for (let i = 0; i < 4 * MIB; i += 512) a[i] }
  },
  'splice in the middle of an array': { run () { const a = new Array(2 * MIB).fill(0); for (;;) a.splice(5, 1, 1, 2).length } },
  'unshift and shift': { run () { const a = new Array(2 * MIB).fill(0); for (;;) { a.unshift(1); a.shift() } } },
  'sparse arrays': { run () { for (;;) { const a = []; a[4294967294] = 1; a.length = 0; a[1e9] = 1; a.indexOf(2, 1e9 - 1000) } } },
  'sparse arrays, reversed': { run () { for (;;) { const a = []; a[100000] = 1; a.reverse() } } },
  'regular expression, backtracking': { run () { for (;;) /(a*)*b/.test('a'.repeat(40)) } },
  'regular expression, over a long text': { run () { const s = 'ab'.repeat(4 * MIB); for (;;) /a.*c|b.*d/s.test(s) } },
  'regular expression, look-behind and case': { run () { const s = 'éA'.repeat(MIB); for (;;) /(?<=x)[^\p{L}]/iu.test(s) } },
  'replaceAll': { run () { const s = 'ab'.repeat(MIB); for (;;) s.replaceAll('a', 'c') } },
  'split and join': { run () { const s = 'a,b,'.repeat(100000); for (;;) s.split(',').join(';') } },
  'indexOf in a long text': { run () { const s = 'a'.repeat(8 * MIB); for (;;) s.indexOf('aaaaaaab') } },
  'ropes, made and flattened': {
    run () { for (;;) { let s = ''; for (let i = 0; i < 100000; i++) s = (i & 1) ? s + 'ab' : 'ab' + s; s.charCodeAt(5) } }
  },
  'ropes of scattered texts': {
    * prepare () { kept = yield * scatteredTexts() },
    run () { for (;;) { let s = ''; for (let i = 0; i < 100000; i++) s += kept[i]; s.charCodeAt(5) } }
  },
  'comparison of long texts': { run () { const a = 'x'.repeat(16 * MIB); const b = 'x'.repeat(16 * MIB); for (;;) a === b } },
  repeat: { run () { for (;;) 'abc'.repeat(8 * MIB) } },
  'padEnd and slice': { run () { for (;;) 'a'.padEnd(8 * MIB, 'bc').slice(1) } },
  'case, normalize, localeCompare': { run () { const s = 'éß'.repeat(200000); for (;;) { s.toUpperCase(); s.normalize('NFD'); s.localeCompare(s + 'a') } } },
  'JSON, deep': { run () { const s = '['.repeat(3000) + ']'.repeat(3000); for (;;) JSON.stringify(JSON.parse(s)) } },
  'JSON, wide': { run () { const s = JSON.stringify(Array.from({ length: 50000 }, (_, i) => ({ i, s: 'x' + i }))); for (;;) JSON.stringify(JSON.parse(s)) } },
  'JSON of scattered objects': {
    * prepare () {
      let node = yield * linkedObjects()
      kept = []
      for (let i = 0; i < 50000; i++) { kept.push(node); node = node.next }
      for (const each of kept) each.next = 1
    },
    run () { for (;;) JSON.stringify(kept) }
  },
  'JSON, a long text': { run () { const s = JSON.stringify('x\n'.repeat(2 * MIB)); for (;;) JSON.parse(s) } },
  'BigInt, multiplied': { run () { const x = (1n << 400000n) - 1n; for (;;) x * x } },
  'BigInt, divided': { run () { const x = (1n << 400000n) - 1n; const y = (1n << 200000n) - 1n; for (;;) x / y } },
  'BigInt to text and back': { run () { const x = (1n << 200000n) - 1n; for (;;) BigInt(x.toString()) } },
  'BigInt, power': { run () { for (;;) 3n ** 500000n } },
  'numbers to text and back': { run () { for (let x = 1.1; ; x *= 1.000001) +String(x) } },
  'mathematical functions': { run () { for (let x = 1e5; ; x++) Math.sin(x) + Math.pow(x, 1.5) + Math.exp(Math.tan(x)) } },
  'division of numbers': { run () { for (let x = 1e300; ; x = 1e300) for (let i = 0; i < 1000; i++) x = (x / 1.0001) % 1e290 } },
  'integer division': { run () { for (let x = 1; ;) x = ((2147483647 / x) | 0) % 1000 + 1 } },
  denormals: { run () { for (let x = 1e-310; ;) x = x * 1.1 / 1.1 } },
  'Proxies in a chain': { run () { let p = {}; for (let i = 0; i < 1000; i++) p = new Proxy(p, {}); for (;;) p.x } },
  'Proxy as a prototype': { run () { const o = Object.create(new Proxy({}, { get: () => 1 })); for (;;) o.x } },
  exceptions: { run () { for (;;) try { null.x } catch {} } },
  'exceptions from the depth': { run () { const f = n => { if (n === 0) throw new Error('x'); f(n - 1) }; for (;;) try { f(1000) } catch {} } },
  generators: { run () { function * f () { for (;;) yield } for (const x of f()) x } },
  'asynchronous functions': { async run () { const f = async () => {}; for (;;) await f() } },
  'promises, many at once': { async run () { for (;;) await Promise.all(Array.from({ length: 50000 }, async () => {})) } },
  'deep recursion': { run () { const f = n => n === 0 ? 0 : 1 + f(n - 1); for (;;) f(1000) } },
  'stack overflows': { run () { const f = () => f(); for (;;) try { f() } catch {} } },
  'cyclic garbage': { run () { for (;;) { const a = {}; a.b = { a } } } },
  'cyclic garbage beside a large heap': {
    * prepare () { kept = yield * linkedObjects() },
    run () { for (;;) { let first = { next: null }; let at = first; for (let i = 0; i < 1000; i++) at = at.next = { next: null }; at.next = first } }
  },
  'much cyclic garbage at once': {
    run () { for (;;) { const a = []; for (let i = 0; i < 150000; i++) a.push({ a }); for (let i = 0; i < 150000; i++) a[i].b = a[random(150000)] } }
  },
  'lists, made and freed': {
    run () { for (;;) { let a = null; for (let i = 0; i < 300000; i++) a = { a } } }
  },
  'scattered lists, freed': {
    run () {
      for (;;) {
        const nodes = []
        for (let i = 0; i < 200000; i++) nodes.push({ next: null })
        const order = shuffled(200000)
        for (let i = 0; i < 199999; i++) nodes[order[i]].next = nodes[order[i + 1]]
      }
    }
  },
  'classes and closures': { run () { for (;;) { class A { #x = () => this; get () { return this.#x() } } new A().get() } } },
  eval: { run () { const s = 'var a = [' + '1,'.repeat(20000) + ']'; for (;;) (0, eval)(s) } },
  'new Function of long names': { run () { for (let i = 0; ; i++) new Function('return ' + 'x'.repeat(10000) + i) } },
  'new names without end': { run () { const o = {}; for (let i = 0; ; i++) { o['n' + i] = 1; delete o['n' + i] } } },
  'Object.keys of a large object': { * prepare () { yield * cases['object with 300,000 names'].prepare() }, run () { for (;;) Object.keys(kept).length } },
  'spread of a large object': { run () { const o = {}; for (let i = 0; i < 20000; i++) o['k' + i] = i; for (;;) ({ ...o }) } },
  'defineProperty and freeze': { run () { for (;;) { const o = {}; for (let i = 0; i < 1000; i++) Object.defineProperty(o, 'k' + i, { value: i, configurable: true }); Object.freeze(o) } } },
  structuredClone: { run () { const o = Array.from({ length: 1000 }, (_, i) => ({ i, m: new Map([[i, i]]) })); for (;;) structuredClone(o) } },
  'TextEncoder and TextDecoder': { run () { const s = 'é'.repeat(5 * MIB); const e = new TextEncoder(); const d = new TextDecoder(); for (;;) d.decode(e.encode(s)) } },
  'Buffer, base64 and hex': { run () { const b = Buffer.alloc(MIB, 1); for (;;) Buffer.from(b.toString('base64'), 'base64').toString('hex') } },
  'URL and URLSearchParams': { run () { for (;;) new URL('http://a.example/b?' + 'c=d&'.repeat(100)).searchParams.get('c') } },
  'encodeURIComponent': { run () { const s = 'é'.repeat(100000); for (;;) decodeURIComponent(encodeURIComponent(s)) } },
  Date: { run () { for (let i = 0; ; i++) new Date(new Date(i * 1e6).toISOString()).getTime() } },
  timers: { async run () { for (;;) await new Promise(resolve => { for (let i = 0; i < 4000; i++) setTimeout(i ? Boolean : resolve, i ? random(1000) : 1000) }) } },
  console: { run () { for (;;) console.log('x') } },
  'console, wide': { run () { const o = Array.from({ length: 200 }, (_, i) => ({ i })); for (;;) console.log(o, 'x'.repeat(10000)) } },
  'console.table': { run () { const o = Array.from({ length: 200 }, (_, i) => ({ i, j: i })); for (;;) console.table(o) } },
  randomness: { run () { for (;;) Math.random() } },
  'files, exists': { async run () { for (;;) await fs.exists('/') } },
  'files, exists deep and long': { async run () { const path = ('/' + 'x'.repeat(254)).repeat(16); for (;;) await fs.exists(path) } },
  'files, exists with many components': { async run () { for (let i = 0; ; i++) await fs.exists('/' + i + '/a'.repeat(2000)) } },
  'files, a path of dots': { async run () { const path = './'.repeat(2000) + 'a'; for (;;) await fs.exists(path) } },
  'files, a path far too long': { async run () { const path = '/é'.repeat(200000); for (;;) await fs.exists(path).catch(() => {}) } },
  'files, tiny writes of one': { async run () { for (;;) await fs.writeFile('/a', '1') } },
  'files, tiny writes of new ones': { async run () { for (let i = 0; ; i++) await fs.writeFile('/' + i, '1') } },
  'files, writes with many new parents': { async run () { for (let i = 0; ; i++) await fs.writeFile('/' + i + '/a'.repeat(900), '1') } },
  'files, writes of 1 MiB': { async run () { const data = new Uint8Array(MIB); for (;;) await fs.writeFile('/a', data) } },
  'files, writes of 15 MiB': { async run () { const data = new Uint8Array(15 * MIB); for (;;) await fs.writeFile('/a', data) } },
  'files, reads of 1 MiB': {
    async * prepare () { await fs.writeFile('/a', new Uint8Array(MIB)) },
    async run () { for (;;) await fs.readFile('/a', 'binary') }
  },
  'files, reads of 10 MiB': {
    async * prepare () { await fs.writeFile('/a', new Uint8Array(10 * MIB)) },
    async run () { for (;;) await fs.readFile('/a', 'binary') }
  },
  'files, reads of many small ones': {
    async * prepare () { yield * manyFiles(20000) },
    async run () { for (;;) await fs.readFile(`/many/${random(20)}/${String(random(1000)).padStart(6, '0')}`) }
  },
  'files, readdir of 20,000': { async * prepare () { yield * manyFiles(20000) }, async run () { for (;;) await fs.readdir('/many', { recursive: true }) } },
  'files, readdir with stat': { async * prepare () { yield * manyFiles(20000) }, async run () { for (;;) await fs.readdir('/many', { recursive: true, stat: true }) } },
  'files, readdir of an own folder': {
    async run () { await fillFolder('/own', 3000); for (;;) await fs.readdir('/own') }
  },
  'files, history': { async * prepare () { yield * manyFiles(10000) }, async run () { for (;;) await fs.history() } },
  'files, history of one path': { async * prepare () { yield * manyFiles(10000) }, async run () { for (;;) await fs.history({ path: '/many/0/000005' }) } },
  'files, history in the middle': { async * prepare () { yield * manyFiles(10000) }, async run () { for (;;) await fs.history({ start: 5000, end: 5001 }) } },
  'files, renames of a tree': {
    async * prepare () { await fillFolder('/tree', 2000) },
    async run () { for (let i = 0; ; i++) await fs.rename(i ? '/tree' + (i - 1) : '/tree', '/tree' + i) }
  },
  'files, copies and removals of a tree': {
    async * prepare () { await fillFolder('/tree', 2000) },
    async run () { for (;;) { await fs.copy('/tree', '/copy'); await fs.rmdir('/copy', { recursive: true }) } }
  },
  'files, copies of a large file': {
    async * prepare () { await fs.writeFile('/a', new Uint8Array(10 * MIB)) },
    async run () { for (let i = 0; ; i++) await fs.copy('/a', '/b' + i % 1000) }
  },
  'files, mkdir and rmdir': { async run () { for (;;) { await fs.mkdir('/d'); await fs.rmdir('/d') } } },
  'a large result': { run () { return 'x'.repeat(20 * MIB) } },
  'a large error': { run () { throw new Error('\u0001'.repeat(8 * MIB)) } }
}

exports.never = () => new Promise(() => {})
exports.nothing = () => 1
exports.spin = n => { for (let i = 0; i < n; i++); }
exports.fill = mebibytes => {
  kept ??= []
  for (let i = 0; i < mebibytes; i++) kept.push(new Uint8Array(MIB).fill(i + 1))
}
exports.names = () => Object.keys(cases)
exports.prepares = name => 'prepare' in cases[name]
exports.prepare = async name => (await (preparing ??= cases[name].prepare()).next()).done
exports.run = name => cases[name].run()
