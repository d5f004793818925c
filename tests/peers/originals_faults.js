// What the program of 2017 got wrong, each as a method; see test_the_originals_faults.py.
const fs = System.files
let i = 0
exports.init = async () => {
  await fs.mkdir('/began')
}
exports.increment = () => ++i
exports.infiniteLoop = () => { for (;;); }
exports.neverSettles = () => new Promise(() => {})
exports.timerThrows = () => { setTimeout(() => { throw new Error('in a timer') }, 1); return new Promise(resolve => setTimeout(resolve, 2)) }
exports.allocate = () => { const kept = []; for (;;) kept.push(new ArrayBuffer(1000000)) }
exports.escapeByThis = function (text) { return String(this.constructor.constructor(text)()) }
exports.escapeByBuffer = text => String(Buffer.constructor(text)())
exports.escapeByHost = async text => String(await fs.readFile.constructor(text)())
exports.circular = () => { const a = {}; a.a = a; return a }
exports.throwUndefined = () => { throw undefined }
exports.size = text => text.length
exports.random = () => Math.random()
exports.now = () => Date.now()
exports.mtime = async () => { await fs.writeFile('/a', 1); return (await fs.stat('/a')).mtime.getTime() }
exports.url = async () => (await fs.getInfo()).url
exports.keepTime = () => fs.writeFile('/time', `${Date.now()} ${Math.random()}`)
exports.fail = () => { throw new Error('this message') }
exports.whoami = () => System.caller.id
