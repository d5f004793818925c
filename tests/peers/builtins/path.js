const path = require('path')

// Errors of the package have no code.
function named (f) {
  try {
    f()
  } catch (error) {
    return error instanceof Error
  }
}

exports.run = () => [
  () => path.join('/a', '..', 'b', './c', ''),
  () => path.join(),
  () => named(() => path.join('a', 5)),
  () => path.resolve('/foo/bar', '../baz', './x'),
  () => path.resolve('/a', '/b'),
  () => path.normalize('/a//b/../c/.'),
  () => path.normalize(''),
  () => ['/', '/a', '/a/b/', 'a', '', '///x'].map(p => [path.dirname(p), path.basename(p), path.extname(p)]),
  () => path.basename('/a/b.html', '.html'),
  () => ['a.b.c', '.x', 'a.', '..', 'a/.b'].map(p => path.extname(p)),
  () => path.parse('/home/me/file.tar.gz'),
  () => path.parse('./a/b'),
  () => path.format({ dir: '/x', name: 'a', ext: '.b' }),
  () => path.format({ root: '/', base: 'x' }),
  () => path.relative('/a/b/c', '/a/d'),
  () => path.relative('/a', '/a'),
  () => path.isAbsolute('/x') && !path.isAbsolute('x'),
  () => [path.sep, path.delimiter, path.posix === path, path.toNamespacedPath('/a')],
  () => named(() => path.dirname(null))
]
