const util = require('util')

class Point {
  constructor () { this.x = 1; this.y = [1, 2, { z: null }] }
  get g () { return 1 }
}
class Secret { [util.inspect.custom] (depth, options) { return 'secret' + depth + typeof options.stylize } }
const circle = { name: 'a' }
circle.self = circle

exports.run = () => [
  () => util.inspect({ a: 1, 'b-c': 'it\'s', d: undefined, e: null, f: -0, g: 10n }),
  () => util.inspect([1, , 3, [4, [5, [6, [7]]]]]), // eslint-disable-line no-sparse-arrays
  () => util.inspect({ a: { b: { c: { d: 1 } } } }, { depth: 0 }),
  () => util.inspect({ a: { b: { c: { d: 1 } } } }, { depth: Infinity }),
  () => util.inspect(new Map([['a', { b: 1 }], [{}, new Set([1, 'x'])]])),
  () => util.inspect(new Point()),
  () => util.inspect(Object.create(null, { x: { value: 1, enumerable: true } })),
  () => util.inspect(circle),
  () => util.inspect([new Secret(), { s: new Secret() }]),
  () => util.inspect([Promise.resolve(5), new Promise(() => {})]),
  () => util.inspect([/a/g, new Date(0), Symbol('x'), () => {}, function named () {}, class A {}, class B extends Point {}]),
  () => util.inspect([new Number(5), new String('ab'), new Boolean(false), Object(5n)]), // eslint-disable-line no-new-wrappers
  () => util.inspect([new Uint8Array([1, 2]), Buffer.from('hi'), new Float64Array(1)]),
  () => util.inspect('a'.repeat(20), { maxStringLength: 5 }),
  () => util.inspect(Array.from({ length: 120 }, (_, i) => i)),
  () => util.inspect({ get a () { return 1 }, set a (v) {}, get b () { return 2 } }, { getters: true }),
  () => util.inspect({ b: 1, a: 2 }, { sorted: true, compact: false }),
  () => util.inspect({ a: 1, b: 'x' }, { colors: true }),
  () => util.inspect(new (class extends Error { get name () { return 'Own' } })('m')).split('\n')[0],
  () => util.inspect((function () { return arguments })(1, 2)),
  () => util.inspect([[[[]]], {}, [{}], { a: {} }]),
  () => util.inspect('multi\nline "and" \'quotes\''),
  () => util.inspect([new WeakMap(), new WeakSet()]),
  () => util.inspect({ long: 'x'.repeat(60), other: 'y'.repeat(30), more: ['z'.repeat(40), 'w'.repeat(40)] }),
  () => util.format('%s %d %i %f %j %o %O %c %% %x', 'a', 1.5, 2.7, '3.1', { a: 1 }, [1], { b: 2 }, 'css', 'rest', 5),
  () => util.format('%s', Symbol('a'), { a: 1 }, -0, 5n, null),
  () => util.format(1, 2, 'three', [4]),
  () => util.format('%s %s', { toString: () => 'own' }, new Map()),
  () => util.formatWithOptions({ compact: true }, '%O', { a: [1] }),
  () => [util.isDeepStrictEqual({ a: [1, new Set([1])] }, { a: [1, new Set([1])] }), util.isDeepStrictEqual([1], ['1']), util.isDeepStrictEqual(NaN, NaN), util.isDeepStrictEqual(-0, 0)],
  async () => util.promisify((a, callback) => callback(null, a + 1))(1),
  async () => util.promisify((callback) => callback(new RangeError('x')))(),
  () => util.promisify(5),
  () => {
    const f = () => {}
    f[util.promisify.custom] = () => 'custom'
    return [util.promisify(f)(), String(util.promisify.custom)]
  },
  async () => new Promise(resolve => util.callbackify(async x => x * 2)(4, (error, value) => resolve([error, value]))),
  async () => new Promise(resolve => util.callbackify(async () => { throw null })(error => resolve([error.code, error.reason]))),
  () => {
    function A () {}
    function B () {}
    util.inherits(A, B)
    return [new A() instanceof B, A.super_ === B]
  },
  () => util.inherits(null, Point),
  () => {
    const f = util.deprecate(x => x + 1, 'old', 'DEP1')
    return [f(1), f(2), util.deprecate(Point, 'no').prototype === Point.prototype]
  },
  () => ['isDate', 'isRegExp', 'isMap', 'isSet', 'isPromise', 'isProxy', 'isTypedArray', 'isUint8Array', 'isArrayBuffer', 'isAnyArrayBuffer', 'isArrayBufferView',
    'isDataView', 'isGeneratorFunction', 'isAsyncFunction', 'isGeneratorObject', 'isNativeError', 'isBoxedPrimitive', 'isSymbolObject', 'isNumberObject',
    'isArgumentsObject', 'isMapIterator', 'isSetIterator', 'isWeakMap', 'isWeakSet', 'isExternal', 'isModuleNamespaceObject', 'isBigInt64Array', 'isFloat32Array'].map(name => [
    new Date(), /a/, new Map(), new Set(), Promise.resolve(), new Proxy({}, {}), new Uint8Array(), new Float32Array(), new ArrayBuffer(1), new DataView(new ArrayBuffer(1)),
    function * () {}, async () => {}, async function * () {}, (function * () {})(), new Error('x'), new TypeError('y'), Object(Symbol('z')), Object(1), (function () { return arguments })(),
    new Map().entries(), new Set().values(), new WeakMap(), new WeakSet(), {}, [], null, 1, new BigInt64Array(1)
  ].map(value => util.types[name](value) ? 1 : 0).join('')),
  () => [util.isArray([]), util.isBuffer(Buffer.alloc(1)), util.isString('a'), util.isNullOrUndefined(null), util.isError(new Error('x')), util.isPrimitive(5), util.isFunction(5)],
  () => util.toUSVString('a\ud800b'),
  () => util.stripVTControlCharacters('\u001b[31mred\u001b[39m'),
  () => [util.TextEncoder === TextEncoder, util.TextDecoder === TextDecoder],
  () => util._extend({ a: 1 }, { b: 2 }),
  () => [util.debuglog('x').enabled, typeof util.debuglog('x')('y')],
  () => require('util/types') === util.types
]
