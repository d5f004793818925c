// `console`: text for the host's log, and where what nobody caught is told.

import { freeze, quote, record } from './primordials.js'

export function makeConsole (native, format, inspect) {
  const write = (level, text) => native.log(`[${quote(level)},${quote(text)}]`)
  const stackHere = () => {
    const stack = native.stack(new StackError())
    return typeof stack === 'string' ? stack : ''
  }
  const StackError = Error
  const members = {
    log (...args) { write('log', format(args)) },
    info (...args) { write('info', format(args)) },
    warn (...args) { write('warn', format(args)) },
    error (...args) { write('error', format(args)) },
    debug (...args) { write('debug', format(args)) },
    trace (...args) {
      const text = format(args)
      write('error', `Trace${text === '' ? '' : `: ${text}`}\n${stackHere()}`)
    },
    assert (condition, ...args) {
      if (condition) return
      const text = format(args)
      write('error', `Assertion failed${text === '' ? '' : `: ${text}`}`)
    },
    dir (value) { write('log', inspect(value)) }
  }
  Object.defineProperty(globalThis, 'console', record({
    value: members, writable: true, enumerable: false, configurable: true
  }))

  const thrownText = (thrown) => {
    try {
      return inspect(thrown)
    } catch {
      return 'something that cannot be shown'
    }
  }
  return freeze({
    uncaught: (label, thrown) => write('error', `${label} ${thrownText(thrown)}`)
  })
}
