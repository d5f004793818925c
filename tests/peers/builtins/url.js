const url = require('url')

const plain = parsed => JSON.parse(JSON.stringify(parsed))

// Errors of the package have no code.
function named (f) {
  try {
    f()
  } catch (error) {
    return error instanceof Error
  }
}

exports.run = () => [
  () => plain(url.parse('http://user:pass@sub.example.com:8080/p/a/t/h?query=string#hash')),
  () => plain(url.parse('/a?b=c&d=e', true)),
  () => plain(url.parse('//host/path', false, true)),
  () => plain(url.parse('mailto:a@b.org')),
  () => plain(url.parse('javascript:alert(1)')),
  () => plain(url.parse('http://ümlaut.example/ä b')),
  () => plain(url.parse('x?a[b]=1&a=2', true).query),
  () => url.parse('http://a.com/%zz').pathname,
  () => named(() => url.parse(5)),
  () => url.format({ protocol: 'https', hostname: 'x.org', port: 5, pathname: '/a', query: { b: 'c d' }, hash: 'e' }),
  () => url.format('http://a.com/b?c#d'),
  () => url.format(new URL('https://u:p@xn--tda.example:99/p?q#h'), { auth: false, fragment: false, search: false, unicode: true }),
  () => url.format(new URL('https://u:p@x.example/p?q#h')),
  () => [url.resolve('/one/two/three', 'four'), url.resolve('http://a.com/b', '/c'), url.resolve('http://a.com/b/', '../c?d')],
  () => [url.URL === URL, url.URLSearchParams === URLSearchParams],
  () => [url.domainToASCII('español.com'), url.domainToASCII('x y'), url.domainToUnicode('xn--espaol-zwa.com')],
  () => named(() => new url.URL('nope')),
  () => new url.URL('http://EXAMPLE.org:80/a/../b?x=1#y').href
]
