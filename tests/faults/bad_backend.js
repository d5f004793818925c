// Everything that a script can do wrong, one export each; ok() counts the calls that were well.
const fs = System.files
const n = { calls: 0 }
exports.ok = () => ++n.calls
exports.spin = gas => { for (let i = 0; i < gas; i++); return ++n.calls }
exports.size = text => text.length

exports.circular = () => { const a = { n: 1 }; a.again = a; return a }
exports.huge = () => 'x'.repeat(1024 * 1024)
exports.deep = () => { let a = []; for (let i = 0; i < 200; i++) a = [a]; return a }
exports.numbers = () => [NaN, Infinity, -Infinity, -0]
exports.members = () => ({ f () {}, u: undefined, s: Symbol('s'), n: NaN, k: 1 })
exports.func = () => () => 1
exports.nothing = () => undefined
exports.bigint = () => 10n
exports.badToJSON = () => ({ toJSON () { throw new RangeError('toJSON') } })
exports.badGetter = () => ({ get x () { throw new RangeError('getter') } })
exports.badProxy = () => new Proxy({}, { ownKeys () { throw new RangeError('proxy') } })

exports.throwUndefined = () => { throw undefined }
exports.throwNull = () => { throw null }
exports.throwCircular = () => { const a = {}; a.a = a; throw a }
exports.throwHuge = () => { throw new Error('x'.repeat(2 * 1024 * 1024)) }
exports.throwBigInt = () => { throw 1n }
exports.nobodyWaits = () => { Promise.reject(new Error('nobody waits')); return ++n.calls }
exports.timerThrows = () => {
  setTimeout(() => { throw new Error('in a timer') })
  return new Promise(resolve => setTimeout(() => resolve(++n.calls), 10))
}

// What these write or count must not stay: they are undone.
exports.neverSettles = async () => { n.calls = -1; await fs.writeFile('/undone', 'x'); return new Promise(() => {}) }
exports.infiniteLoop = async () => { n.calls = -1; await fs.writeFile('/undone', 'x'); for (;;); }
exports.infinitePromises = async () => { n.calls = -1; for (;;) await null }
exports.infiniteTimers = () => { n.calls = -1; return new Promise(() => setInterval(() => {}, 1)) }
exports.hungryPattern = () => /^(a+)+$/.test('a'.repeat(40) + '!')
exports.endlessAllocation = () => { const a = []; for (;;) a.push(new Uint8Array(100000).fill(n)) }
exports.endlessText = () => { let s = 'x'; for (;;) s += s }
exports.hugeBuffer = () => new Uint8Array(2 ** 31)
exports.endlessRecursion = () => exports.endlessRecursion() + 1
exports.deepJSON = () => JSON.parse('['.repeat(1e6))
exports.tooMuchWritten = async () => { const b = Buffer.alloc(1024 * 1024); for (let i = 0; i < 17; i++) await fs.writeFile('/big' + i, b) }

exports.write = (path, data) => fs.writeFile(path, data)
exports.read = path => fs.readFile(path)
exports.manyPrints = () => { for (let i = 0; i < 3000; i++) console.log('line', i); return ++n.calls }

exports.init = () => fs.mkdir('/kept')
exports.upgrade = () => {}
exports.list = [1, 2]
