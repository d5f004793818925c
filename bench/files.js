// Writes a new file with every call, for bench/memory.py.
let count = 0
exports.increment = async () => {
  count++
  await System.files.writeFile(`/d${count % 100}/${count}`, String(count))
  return count
}
