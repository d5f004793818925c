const qs = require('node:querystring')

exports.run = () => [
  () => qs.parse('a=1&b=2&a=3&c=%20x+y&d&=e&&f=='),
  () => qs.parse('a:1;b:2', ';', ':'),
  () => qs.parse('a=1&b=2&c=3', null, null, { maxKeys: 2 }),
  () => qs.parse('x=%zz&y=%E4%F6&z=%C3%A4'),
  () => qs.parse('a[b]=1&a.b=2'),
  () => qs.parse(''),
  () => qs.stringify({ a: 1, b: [true, 'x y'], c: null, d: undefined, e: 'ä&=', f: 5n, g: NaN, h: {} }),
  () => qs.stringify({ a: 'b', c: 'd' }, ';', ':'),
  () => qs.stringify({ a: 'x' }, null, null, { encodeURIComponent: s => '<' + s + '>' }),
  () => qs.stringify('a=b'),
  () => qs.escape('ä ~!*()\''),
  () => qs.unescape('%C3%A4%zz'),
  () => qs.unescapeBuffer('%41b').toString(),
  () => [qs.encode === qs.stringify, qs.decode === qs.parse],
  () => qs.stringify({ a: '\ud800' })
]
