// The boot script: runs once, when the guest's image is made, and gives the C side what it calls.

import { Buffer, buffers, installWeb } from './web.js'
import {
  WrongRange, WrongType, defineProperty, freeze, functionText, getOwnPropertyDescriptor, hasOwn, isWellFormed, ownKeys, quote, record, slice
} from './primordials.js'
import { makeConsole } from './console.js'
import { installStack } from './errors.js'
import { makeFiles } from './files.js'
import { makeInspect } from './inspect.js'
import { makeModules } from './modules.js'
import { makeText } from './text.js'
import { makeTimers } from './timers.js'

const SIGNATURE_MAX = 4096
const EXPORTS_MAX = 1000

export default function boot (native) {
  const { inspect, format } = makeInspect(native, Buffer.prototype)
  const terminal = makeConsole(native, format, inspect)
  const timers = makeTimers(native, terminal.uncaught)
  makeText(native)
  installStack(native)
  installWeb()

  const modules = makeModules(native, buffers)

  let caller = null
  const files = makeFiles(native, Buffer)
  // Marks a function, so that it keeps its source text and with it the names of its parameters.
  function readonly (method) {
    if (typeof method !== 'function') throw new WrongType('Only a function can be read-only')
    defineProperty(method, 'readonly', record({ value: true, writable: true, enumerable: true, configurable: true }))
    return method
  }
  const System = freeze({
    files,
    readonly: freeze(readonly),
    get caller () { return (caller ??= freeze({ id: native.caller() })) }
  })
  defineProperty(globalThis, 'System', record({ value: System }))

  // Looks at a function's own data property alone: no getter and no prototype makes a function read-only.
  function isReadonly (method) {
    const mark = getOwnPropertyDescriptor(method, 'readonly')
    return mark !== undefined && hasOwn(mark, 'value') && mark.value === true
  }

  // [[name, beginning of the source]] of what module.exports offers, as JSON text; with 1 behind it
  // for a function that is marked as read-only.
  function exported (exports) {
    if (exports === null || (typeof exports !== 'object' && typeof exports !== 'function')) return '[]'
    const names = ownKeys(exports)
    let text = ''
    let count = 0
    for (let i = 0; i < names.length; i++) {
      const name = names[i]
      if (typeof name !== 'string' || !isWellFormed(name) || name === 'init' || name === 'upgrade') continue
      if (!getOwnPropertyDescriptor(exports, name)?.enumerable) continue
      const value = exports[name]
      if (typeof value !== 'function') continue
      if (++count > EXPORTS_MAX) throw new WrongRange('A script may export ' + EXPORTS_MAX + ' functions')
      const source = native.kind(value) === 'Proxy' ? '' : slice(functionText(value), 0, SIGNATURE_MAX)
      text += (text === '' ? '[' : ',[') + quote(name) + ',' + quote(source) + (isReadonly(value) ? ',1]' : ']')
    }
    return '[' + text + ']'
  }

  return {
    fire: timers.fire,
    end () {
      timers.drop()
      terminal.end()
      caller = null
    },
    uncaught: terminal.uncaught,
    exports: exported,
    require: modules.require,
    resolve: modules.resolve,
    imported: modules.imported
  }
}
