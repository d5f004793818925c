const assert = require('node:assert')
const strict = require('assert/strict')

const fails = f => {
  try {
    f()
  } catch (error) {
    return [error.name, error.code, error.operator, error instanceof assert.AssertionError, error instanceof Error]
  }
  return 'passed'
}

exports.run = () => [
  () => fails(() => assert(true)),
  () => fails(() => assert(0)),
  () => fails(() => assert.ok(null, 'own text')),
  () => fails(() => assert.equal(1, '1')),
  () => fails(() => strict.equal(1, '1')),
  () => fails(() => assert.strictEqual(NaN, NaN)),
  () => fails(() => assert.strictEqual(1, 2, 'text')),
  () => fails(() => assert.notStrictEqual(1, 1)),
  () => fails(() => assert.deepEqual({ a: [1, '2'] }, { a: ['1', 2] })),
  () => fails(() => assert.deepStrictEqual({ a: [1, '2'] }, { a: ['1', 2] })),
  () => fails(() => assert.deepStrictEqual(new Map([[1, { a: 1 }]]), new Map([[1, { a: 1 }]]))),
  () => fails(() => assert.deepStrictEqual(new Set([{ a: 1 }]), new Set([{ a: 2 }]))),
  () => fails(() => assert.deepStrictEqual(new Date(0), new Date(0))),
  () => fails(() => assert.deepStrictEqual([1, , 3], [1, undefined, 3])), // eslint-disable-line no-sparse-arrays
  () => fails(() => assert.deepStrictEqual(Object.create(null), {})),
  () => fails(() => assert.deepStrictEqual(-0, 0)),
  () => fails(() => assert.deepStrictEqual(new Uint8Array([1]), Buffer.from([1]))),
  () => fails(() => assert.deepStrictEqual(/a/g, /a/i)),
  () => fails(() => assert.deepStrictEqual(new Error('a'), new Error('a'))),
  () => fails(() => assert.deepStrictEqual({ [Symbol.for('x')]: 1 }, { [Symbol.for('x')]: 2 })),
  () => fails(() => assert.notDeepStrictEqual({ a: 1 }, { a: 1 })),
  () => fails(() => assert.throws(() => { throw new TypeError('bad') }, TypeError)),
  () => fails(() => assert.throws(() => { throw new TypeError('bad') }, /bad/)),
  () => fails(() => assert.throws(() => { throw new TypeError('bad') }, { name: 'TypeError', message: 'bad' })),
  () => fails(() => assert.throws(() => { throw new TypeError('bad') }, { message: 'good' })),
  () => fails(() => assert.throws(() => {})),
  () => fails(() => assert.doesNotThrow(() => { throw new Error('x') })),
  () => fails(() => assert.throws('no function')),
  () => fails(() => assert.ifError(null)),
  () => fails(() => assert.ifError(new Error('x'))),
  () => fails(() => assert.match('abc', /b/)),
  () => fails(() => assert.match('abc', /x/)),
  () => fails(() => assert.doesNotMatch('abc', /b/)),
  () => fails(() => assert.fail('boom')),
  () => fails(() => assert.fail()),
  () => fails(() => assert.equal(1)),
  async () => { await assert.rejects(async () => { throw new RangeError('x') }, RangeError) },
  async () => { await assert.rejects(async () => 5) },
  async () => { await assert.doesNotReject(Promise.reject(new Error('x'))) },
  () => {
    const error = new assert.AssertionError({ actual: 1, expected: 2, operator: 'strictEqual' })
    return [error.actual, error.expected, error.operator, error.code, error.message]
  },
  () => {
    try {
      assert.deepStrictEqual({ a: 1, b: [1, 2] }, { a: 2, b: [1, 2] })
    } catch (error) {
      return [error.actual, error.expected]
    }
  },
  () => [assert.strict === strict, strict.deepEqual === strict.deepStrictEqual, assert.strict.strict === assert.strict]
]
