// `console`: text for the host's log, and where what nobody caught is told.

import { defineProperty, freeze, hasOwn, min, now, quote, record, repeat, replaceAll, slice, toText } from './primordials.js'
import { makeTable } from './table.js'

const TEXT_MAX = 131072
const INDENTS_MAX = 20

export function makeConsole (native, format, inspect) {
  const table = makeTable(native, inspect)
  const counts = record({})
  const clocks = record({})
  let groups = 0

  function write (level, text) {
    if (text.length > TEXT_MAX) text = slice(text, 0, TEXT_MAX) + '... more'
    if (groups > 0) {
      const indent = repeat('  ', min(groups, INDENTS_MAX))
      text = indent + replaceAll(text, '\n', '\n' + indent)
    }
    native.log('[' + quote(level) + ',' + quote(text) + ']')
  }
  const StackError = Error
  const stackHere = () => {
    const stack = native.stack(new StackError())
    return typeof stack === 'string' ? stack : ''
  }
  const labelled = (label, args) => label + (args.length === 0 ? '' : ': ' + format(args))

  // No clock moves during a call: only a timer that an earlier call started can have run.
  function elapsed (label, args, method) {
    label = toText(label)
    const more = args.length === 0 ? '' : ' ' + format(args)
    if (hasOwn(clocks, label)) write('log', label + ': ' + (now() - clocks[label]) + 'ms' + more)
    else write('warn', "No such label '" + label + "' for console." + method + '()')
  }

  const members = {
    log (...args) { write('log', format(args)) },
    info (...args) { write('info', format(args)) },
    warn (...args) { write('warn', format(args)) },
    error (...args) { write('error', format(args)) },
    debug (...args) { write('debug', format(args)) },
    trace (...args) { write('error', labelled('Trace', args) + '\n' + stackHere()) },
    assert (condition, ...args) { if (!condition) write('error', labelled('Assertion failed', args)) },
    dir (value) { write('log', inspect(value)) },
    dirxml (...args) { write('log', format(args)) },
    table (data, columns) { write('log', table(data, columns) ?? format([data])) },
    group (...args) {
      if (args.length > 0) write('log', format(args))
      groups++
    },
    clear () {},
    groupEnd () { if (groups > 0) groups-- },
    count (label = 'default') {
      label = toText(label)
      counts[label] = (hasOwn(counts, label) ? counts[label] : 0) + 1
      write('log', label + ': ' + counts[label])
    },
    countReset (label = 'default') { delete counts[toText(label)] },
    time (label = 'default') { clocks[toText(label)] = now() },
    timeLog (label = 'default', ...args) { elapsed(label, args, 'timeLog') },
    timeEnd (label = 'default') {
      elapsed(label, [], 'timeEnd')
      delete clocks[toText(label)]
    }
  }
  members.groupCollapsed = members.group
  defineProperty(globalThis, 'console', record({
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
    uncaught: (label, thrown) => write('error', label + ' ' + thrownText(thrown)),
    // Groups that a call left open do not indent the next one.
    end () { groups = 0 }
  })
}
