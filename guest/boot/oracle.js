// `System.oracle(fn)`: fn runs in a copy of this VM that the host makes and throws away (see
// shim/oracle.c). What comes back is the JSON value that it ended with, or its error.

import { namedError } from './errors.js'
import { PlainError, WrongRange, WrongType, construct, defineProperty, hasOwn, record } from './primordials.js'

const classes = record({
  Error, EvalError, RangeError: WrongRange, ReferenceError, SyntaxError, TypeError: WrongType, URIError
})

// What was thrown in the fork, as far as its text tells.
function thrownOf (err) {
  if (!hasOwn(err, 'name')) return hasOwn(err, 'value') ? err.value : undefined
  const error = hasOwn(classes, err.name)
    ? construct(classes[err.name], record({ length: 1, 0: err.message }))
    : namedError(err.name, err.message)
  if (hasOwn(err, 'code')) {
    defineProperty(error, 'code', record({ value: err.code, writable: true, enumerable: true, configurable: true }))
  }
  return error
}

export function makeOracle (native) {
  return async function oracle (fn) {
    if (native.inOracle()) throw new PlainError('System.oracle cannot be used in System.oracle: ask for both values there')
    const source = native.source(fn)
    if (source === undefined) throw new WrongType('System.oracle takes a function that the script wrote')
    const answer = native.oracle(source, fn)[0]
    if (hasOwn(answer, 'err')) throw thrownOf(answer.err)
    return hasOwn(answer, 'res') ? answer.res : undefined
  }
}
