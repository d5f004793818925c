// `util`: inspect and format as Node's own code has them (inspect.js); the rest follows lib/util.js and
// lib/internal/util.js of Node 20 (MIT licence, see THIRD_PARTY.txt).

const errors = require('./errors.js')
const types = require('./types.js')

// These take by far the most to load, and most who ask for `util` want something else of it.
const inspecting = ['format', 'formatWithOptions', 'inspect', 'stripVTControlCharacters']
const customPromisified = Symbol.for('nodejs.util.promisify.custom')

const { requireFunction } = errors

function defineCustom (value) {
  return Object.defineProperty(value, customPromisified, {
    __proto__: null, value, enumerable: false, writable: false, configurable: true
  })
}

function promisify (original) {
  requireFunction(original, 'original')
  if (original[customPromisified]) {
    requireFunction(original[customPromisified], 'util.promisify.custom')
    return defineCustom(original[customPromisified])
  }
  function fn (...args) {
    return new Promise((resolve, reject) => {
      args.push((error, value) => error ? reject(error) : resolve(value))
      Reflect.apply(original, this, args)
    })
  }
  Object.setPrototypeOf(fn, Object.getPrototypeOf(original))
  defineCustom(fn)
  return Object.defineProperties(fn, Object.getOwnPropertyDescriptors(original))
}
promisify.custom = customPromisified

function callbackify (original) {
  requireFunction(original, 'original')
  function callbackified (...args) {
    const callback = args.pop()
    requireFunction(callback, 'last argument')
    const soon = (...given) => queueMicrotask(() => Reflect.apply(callback, this, given))
    Reflect.apply(original, this, args).then(
      (value) => soon(null, value),
      (reason) => soon(reason || errors.make(Error, 'ERR_FALSY_VALUE_REJECTION', 'Promise was rejected with falsy value', { reason }))
    )
  }
  const descriptors = Object.getOwnPropertyDescriptors(original)
  if (typeof descriptors.length.value === 'number') descriptors.length.value++
  if (typeof descriptors.name.value === 'string') descriptors.name.value += 'Callbackified'
  return Object.defineProperties(callbackified, descriptors)
}

function inherits (constructor, parent) {
  if (constructor === undefined || constructor === null) throw errors.argumentType('ctor', 'of type function', constructor)
  if (parent === undefined || parent === null) throw errors.argumentType('superCtor', 'of type function', parent)
  if (parent.prototype === undefined) throw errors.argumentType('superCtor.prototype', 'of type object', parent.prototype)
  Object.defineProperty(constructor, 'super_', { __proto__: null, value: parent, writable: true, configurable: true })
  Object.setPrototypeOf(constructor.prototype, parent.prototype)
}

const warnedCodes = new Set()

function deprecate (fn, message, code) {
  let warned = false
  function deprecated (...args) {
    if (!warned && !(code !== undefined && warnedCodes.has(code))) {
      if (code !== undefined) warnedCodes.add(code)
      console.warn((code === undefined ? '' : '[' + code + '] ') + 'DeprecationWarning: ' + message)
    }
    warned = true
    return new.target ? Reflect.construct(fn, args, new.target) : Reflect.apply(fn, this, args)
  }
  Object.setPrototypeOf(deprecated, fn)
  if (fn.prototype) deprecated.prototype = fn.prototype
  return deprecated
}

// Nothing sets NODE_DEBUG here, so no section is ever on.
function debuglog () {
  const log = () => {}
  return Object.defineProperty(log, 'enabled', { get: () => false, configurable: true, enumerable: true })
}

const isPrimitive = (value) => value === null || (typeof value !== 'object' && typeof value !== 'function')
const isError = (value) => types.isNativeError(value) || value instanceof Error

const util = {
  _extend: (target, source) => source === null || typeof source !== 'object' ? target : Object.assign(target, source),
  callbackify,
  debug: debuglog,
  debuglog,
  deprecate,
  inherits,
  isArray: Array.isArray,
  isBoolean: (value) => typeof value === 'boolean',
  isBuffer: (value) => nodevms.Buffer.isBuffer(value),
  isDeepStrictEqual: (left, right) => require('internal/assert').isDeepStrictEqual(left, right),
  isNull: (value) => value === null,
  isNullOrUndefined: (value) => value === null || value === undefined,
  isNumber: (value) => typeof value === 'number',
  isString: (value) => typeof value === 'string',
  isSymbol: (value) => typeof value === 'symbol',
  isUndefined: (value) => value === undefined,
  isRegExp: types.isRegExp,
  isObject: (value) => value !== null && typeof value === 'object',
  isDate: types.isDate,
  isError,
  isFunction: (value) => typeof value === 'function',
  isPrimitive,
  log: (...args) => console.log(util.format(...args)),
  promisify,
  toUSVString: (value) => String(value).toWellFormed(),
  types,
  TextDecoder,
  TextEncoder
}

for (const name of inspecting) {
  const become = (value) => Object.defineProperty(util, name, { value, writable: true, enumerable: true, configurable: true })
  Object.defineProperty(util, name, {
    get: () => become(require('internal/inspect')[name])[name], set: become, enumerable: true, configurable: true
  })
}

// What `assert` asks for, without loading what it may never need.
const lateInspect = (...args) => util.inspect(...args)
lateInspect.custom = Symbol.for('nodejs.util.inspect.custom')

module.exports = { util, 'util/': { inspect: lateInspect, types }, 'util/types': types }
