// Values as text for the console, in the manner of Node's util.inspect and util.format, smaller:
// bounded in depth, members and length, and without running a getter, Proxy trap or method of the
// script.

import {
  arrayLength, arrayName, bufferLength, dateText, dateValue, float, getOwnPropertyDescriptor, getPrototypeOf, hasOwn, indexOf,
  integer, is, isArray, mapEach, mapSize, min, ownKeys, quote, record, regExpText, replaceAll, setEach, setSize, slice, stringify,
  symbolText, toText, Bytes, toHex
} from './primordials.js'

const DEPTH_MAX = 2
const MEMBERS_MAX = 100
const KEY_MAX = 1024
const HOLES_MAX = 10000
const LENGTH_MAX = 16384
const LINE_MAX = 72
const ITEM_FILLED_MAX = 24
// What an Error holds in members that are not enumerable.
const hidden = ['cause', 'errors']

export function makeInspect (native, bufferPrototype) {
  const quoted = (text) =>
    indexOf(text, "'") < 0 && indexOf(text, '\\') < 0 && quote(text).length === text.length + 2
      ? "'" + text + "'"
      : quote(text)

  function primitive (value) {
    if (typeof value === 'string') {
      return value.length > LENGTH_MAX ? quoted(slice(value, 0, LENGTH_MAX)) + '... more' : quoted(value)
    }
    if (typeof value === 'bigint') return '' + value + 'n'
    if (typeof value === 'symbol') return symbolText(value)
    return is(value, -0) ? '-0' : '' + value
  }

  // The name of the nearest constructor, read from plain data properties alone.
  function className (object) {
    let at = object
    for (let steps = 0; at !== null && steps < 100; steps++) {
      if (native.kind(at) === 'Proxy') return ''
      const own = getOwnPropertyDescriptor(at, 'constructor')
      if (own !== undefined && hasOwn(own, 'value') && typeof own.value === 'function') {
        if (native.kind(own.value) === 'Proxy') return ''
        const name = getOwnPropertyDescriptor(own.value, 'name')
        if (name !== undefined && typeof name.value === 'string' && name.value !== '') return name.value
      }
      at = getPrototypeOf(at)
    }
    return at === null ? '[Object: null prototype]' : ''
  }

  function keyText (key) {
    if (typeof key === 'symbol') return '[' + symbolText(key) + ']'
    if (key.length > KEY_MAX) return quoted(slice(key, 0, KEY_MAX)) + '...'
    for (let i = 0; i < key.length; i++) {
      const c = slice(key, i, i + 1)
      const letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c === '_' || c === '$'
      if (!letter && !(i > 0 && c >= '0' && c <= '9')) return quoted(key)
    }
    return key === '' ? "''" : key
  }

  // Members twice: one to a line, and as many to a line as fit.
  function makeList () {
    const list = record({ text: '', filled: '', count: 0, breaks: false, longest: 0 })
    let room = LINE_MAX
    list.add = (item) => {
      const first = list.count++ === 0
      list.text += first ? item : ',\n' + item
      room -= item.length + 2
      const fits = room >= 0
      list.filled += first ? item : fits ? ', ' + item : ',\n' + item
      if (!fits) room = LINE_MAX - item.length
      if (indexOf(item, '\n') >= 0) list.breaks = true
      if (item.length > list.longest) list.longest = item.length
    }
    return list
  }

  function wrap (prefix, open, list, close) {
    const head = prefix === '' ? open : prefix + ' ' + open
    if (list.count === 0) return head + close
    const flat = head + ' ' + replaceAll(list.text, ',\n', ', ') + ' ' + close
    if (!list.breaks && flat.length <= LINE_MAX) return flat
    const fill = open === '[' && !list.breaks && list.count > 6 && list.longest <= ITEM_FILLED_MAX
    return head + '\n  ' + replaceAll(fill ? list.filled : list.text, '\n', '\n  ') + '\n' + close
  }

  function addProperties (list, value, depth, seen, state, skipIndexes) {
    const names = ownKeys(value)
    let shown = 0
    for (let i = 0; i < names.length; i++) {
      const key = names[i]
      const own = getOwnPropertyDescriptor(value, key)
      if (own === undefined || !own.enumerable) continue
      if (skipIndexes && typeof key === 'string' && '' + (key >>> 0) === key) continue
      if (shown++ >= MEMBERS_MAX) {
        list.add('... more')
        return
      }
      let text
      if (hasOwn(own, 'value')) text = show(own.value, depth + 1, seen, state)
      else text = own.get === undefined ? '[Setter]' : own.set === undefined ? '[Getter]' : '[Getter/Setter]'
      list.add(keyText(key) + ': ' + text)
    }
  }

  function showArray (value, depth, seen, state) {
    const list = makeList()
    const length = value.length
    let at = 0
    for (let shown = 0; at < length && shown < MEMBERS_MAX; shown++) {
      const own = getOwnPropertyDescriptor(value, at)
      if (own === undefined) {
        const from = at
        for (; at < length && state.holes > 0 && getOwnPropertyDescriptor(value, at) === undefined; at++) state.holes--
        if (at === from) break
        list.add('<' + (at - from) + ' empty ' + (at - from === 1 ? 'item' : 'items') + '>')
      } else {
        list.add(hasOwn(own, 'value') ? show(own.value, depth + 1, seen, state) : '[Getter]')
        at++
      }
    }
    if (at < length) list.add('... ' + (length - at) + ' more ' + (length - at === 1 ? 'item' : 'items'))
    else addProperties(list, value, depth, seen, state, true)
    return wrap('', '[', list, ']')
  }

  function showCollection (value, kind, depth, seen, state) {
    const list = makeList()
    let shown = 0
    const each = (item, key) => {
      if (shown++ >= MEMBERS_MAX) return
      const text = show(item, depth + 1, seen, state)
      list.add(kind === 'Map' ? show(key, depth + 1, seen, state) + ' => ' + text : text)
    }
    const size = kind === 'Map' ? mapSize(value) : setSize(value)
    if (kind === 'Map') mapEach(value, each)
    else setEach(value, each)
    if (size > MEMBERS_MAX) list.add('... ' + (size - MEMBERS_MAX) + ' more items')
    return wrap(kind + '(' + size + ')', '{', list, '}')
  }

  function showBytes (value) {
    const length = arrayLength(value)
    if (getPrototypeOf(value) === bufferPrototype) {
      const hex = toHex(new Bytes(native.copy(value, 0, 50)))
      let text = '<Buffer'
      for (let i = 0; i < hex.length; i += 2) text += ' ' + slice(hex, i, i + 2)
      return length > 50 ? text + ' ... ' + (length - 50) + ' more bytes>' : text + '>'
    }
    const list = makeList()
    for (let i = 0; i < min(length, MEMBERS_MAX); i++) list.add(primitive(value[i]))
    if (length > MEMBERS_MAX) list.add('... ' + (length - MEMBERS_MAX) + ' more items')
    return wrap(arrayName(value) + '(' + length + ')', '[', list, ']')
  }

  function showError (value, depth, seen, state) {
    const text = (name) => {
      let at = value
      for (let steps = 0; at !== null && steps < 100 && native.kind(at) !== 'Proxy'; steps++) {
        const own = getOwnPropertyDescriptor(at, name)
        if (own !== undefined) return typeof own.value === 'string' ? own.value : ''
        at = getPrototypeOf(at)
      }
      return ''
    }
    const name = text('name') || 'Error'
    const message = text('message')
    const stack = native.stack(value)
    const list = makeList()
    for (let i = 0; i < hidden.length; i++) {
      const own = getOwnPropertyDescriptor(value, hidden[i])
      if (own === undefined || own.enumerable || !hasOwn(own, 'value')) continue
      list.add('[' + hidden[i] + ']: ' + show(own.value, depth + 1, seen, state))
    }
    addProperties(list, value, depth, seen, state, false)
    let head = message === '' ? name : name + ': ' + message
    if (typeof stack === 'string' && stack !== '') head += '\n' + stack
    else head = '[' + head + ']'
    return list.count === 0 ? head : wrap(head, '{', list, '}')
  }

  function showObject (value, kind, depth, seen, state) {
    if (kind === 'Error' || kind === 'DOMException') return showError(value, depth, seen, state)
    if (isArray(value)) return showArray(value, depth, seen, state)
    if (kind === 'Map' || kind === 'Set') return showCollection(value, kind, depth, seen, state)
    if (kind === 'Date') return is(dateValue(value), NaN) ? 'Invalid Date' : dateText(value)
    const list = makeList()
    if (kind === 'Promise') {
      const pair = native.promiseState(value)
      const inner = pair[0] === 0 ? '<pending>' : show(pair[1], depth + 1, seen, state)
      list.add(pair[0] === 2 ? '<rejected> ' + inner : inner)
    }
    addProperties(list, value, depth, seen, state, false)
    const name = className(value)
    return wrap(name === 'Object' ? '' : name, '{', list, '}')
  }

  function show (value, depth, seen, state) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return primitive(value)
    if (state.left <= 0) return '...'
    let target = value
    let kind = native.kind(target)
    for (let steps = 0; kind === 'Proxy' && steps < 100; steps++) {
      target = native.proxyTarget(target)
      if (target === null) return '<Revoked Proxy>'
      kind = native.kind(target)
    }
    if (kind === 'Proxy') return '<Proxy>'
    if (typeof target === 'function') {
      const own = getOwnPropertyDescriptor(target, 'name')
      const name = own !== undefined && typeof own.value === 'string' ? own.value : ''
      return name === '' ? '[Function (anonymous)]' : '[Function: ' + name + ']'
    }
    if (kind === 'RegExp') return regExpText(target)
    if (kind === 'ArrayBuffer') return 'ArrayBuffer { byteLength: ' + bufferLength(target) + ' }'
    if (arrayName(target) !== undefined) return native.isBytes(target) ? showBytes(target) : arrayName(target) + '(0) []'
    for (let at = seen; at !== null; at = at.outer) if (at.value === target) return '[Circular]'
    if (depth > DEPTH_MAX) return isArray(target) ? '[Array]' : '[' + (className(target) || 'Object') + ']'
    const text = showObject(target, kind, depth, record({ value: target, outer: seen }), state)
    state.left -= text.length
    return text
  }

  const inspect = (value) => show(value, 0, null, record({ left: LENGTH_MAX, holes: HOLES_MAX }))

  // %s %d %i %f %j %o %O %c %% as Node's util.format has them.
  function directive (letter, value) {
    if (letter === 's') return typeof value === 'string' ? value : inspect(value)
    if (letter === 'j') {
      try {
        return toText(stringify(value))
      } catch {
        return '[Circular]'
      }
    }
    if (letter === 'o' || letter === 'O') return inspect(value)
    if (letter === 'c') return ''
    if (typeof value === 'bigint') return '' + value + 'n'
    if (typeof value === 'object' || typeof value === 'symbol' || typeof value === 'function') return 'NaN'
    if (letter === 'd') return primitive(+value)
    const number = letter === 'i' ? integer('' + value) : float('' + value)
    return primitive(number)
  }

  function format (args) {
    let text = ''
    let used = 0
    if (typeof args[0] === 'string') {
      const pattern = args[0]
      used = 1
      let from = 0
      while (text.length <= LENGTH_MAX) {
        const at = indexOf(pattern, '%', from)
        if (at < 0 || at + 1 >= pattern.length) break
        const letter = slice(pattern, at + 1, at + 2)
        text += slice(pattern, from, at)
        if (letter === '%') text += args.length > 1 ? '%' : '%%'
        else if (indexOf('sdifjoOc', letter) >= 0 && used < args.length) text += directive(letter, args[used++])
        else text += '%' + letter
        from = at + 2
      }
      text += slice(pattern, from)
    }
    for (; used < args.length && text.length <= LENGTH_MAX; used++) {
      const value = args[used]
      if (used > 0) text += ' '
      text += typeof value === 'string' ? value : inspect(value)
    }
    if (text.length <= LENGTH_MAX) return text
    const more = used < args.length ? 'more' : text.length - LENGTH_MAX + ' more characters'
    return slice(text, 0, LENGTH_MAX) + '... ' + more
  }
  return { inspect, format }
}
