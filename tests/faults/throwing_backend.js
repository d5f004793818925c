// Fails in every way that a script can. A tab, wide letters and a long line stand before the places.
class Refused extends Error {
  constructor (message) { super(message); this.name = 'Refused' }
}
async function deep () { await null; throw new Refused('not you') }
exports.acrossAwaits = async () => {
  await deep()
}
exports.wide = list => {
	return '日本語😀' + list.first.second
}
exports.later = () => {
  setTimeout(() => { undefined.inTimer }, 5)
  Promise.reject(new RangeError('nobody waits'))
  return new Promise(resolve => setTimeout(resolve, 10))
}
exports.logs = () => { console.error(new TypeError('only said')) }
exports.file = async () => {
  await System.files.readFile('/missing')
}
exports.long = x => { const list = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]; return x.y.z + list.length }
exports.value = () => { throw { a: 1 } }
exports.endless = () => { for (;;); }
