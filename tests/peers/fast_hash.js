// Runs one of the programs beside this file with the fastest hash that npm's packages have here.
// Usage: node fast_hash.js PROGRAM ARGUMENTS…
// sodium-native is built for Node up to 13 only. In its place comes BLAKE2b in WebAssembly, but only
// for who waits until that is ready; else it is JavaScript, which takes twenty times as long.
const path = require('path')

require('blake2b').ready(() => {
  const [program] = process.argv.splice(2, 1)
  require(path.resolve(__dirname, program))
})
