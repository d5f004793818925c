// `assert` looks at what it compares only when that differs, so inspect.js is not loaded before.

const assert = require('assert')
const { isDeepStrictEqual } = require('assert/build/internal/util/comparisons')

module.exports = { assert, 'assert/strict': assert.strict, isDeepStrictEqual }
