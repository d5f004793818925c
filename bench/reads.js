// The counter with read-only methods, for bench/reads.py.
let i = 0
exports.increment = function () {
  i++
  return i
}
exports.get = System.readonly(() => i)
exports.logged = () => i
