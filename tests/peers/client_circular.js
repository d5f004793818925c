// Parses texts with the npm client's own parser, for test_rpc_circular_peer.py: one JSON string
// (a text) a line on stdin; one line on stdout with what the parser made of it, as JSON.
const readline = require('readline')
const path = require('path')
const CircularJSON = require(require.resolve('circular-json', {
  paths: [path.dirname(require.resolve('rpc-websockets/package.json'))]
}))

readline.createInterface({ input: process.stdin }).on('line', line => {
  console.log(JSON.stringify(CircularJSON.parse(JSON.parse(line))))
})
