// util.inspect and util.format: Node's own code, extracted.

module.exports = require('node-inspect-extracted')
