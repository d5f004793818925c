const path = require('path-browserify')

path.toNamespacedPath = (path) => path
module.exports = { path, 'path/posix': path }
