// Timers in virtual time: they fire in the order of their due time, then of their creation, when
// nothing else is left to do, and no clock moves.

import { WrongRange, WrongType, apply, define, floor, record } from './primordials.js'

const DELAY_MAX = 0x7fffffff

export function makeTimers (native, uncaught) {
  let first = null
  let now = 0
  let created = 0
  let waiting = 0

  function insert (timer) {
    let before = null
    let after = first
    while (after !== null && after.due <= timer.due) {
      before = after
      after = after.next
    }
    timer.next = after
    if (before === null) first = timer
    else before.next = timer
    timer.waits = true
    waiting++
  }

  function remove (timer) {
    if (!timer.waits) return
    timer.waits = false
    waiting--
    if (first === timer) {
      first = timer.next
      return
    }
    let before = first
    while (before.next !== timer) before = before.next
    before.next = timer.next
  }

  class Timeout {
    #timer
    constructor (timer) { this.#timer = timer }
    static timerOf (value) { return #timer in value ? value.#timer : null }
    ref () { return this }
    unref () { return this }
    hasRef () { return true }
    refresh () {
      if (this.#timer.waits) {
        remove(this.#timer)
        this.#timer.due = now + this.#timer.delay
        insert(this.#timer)
      }
      return this
    }

    close () {
      remove(this.#timer)
      return this
    }

    [Symbol.toPrimitive] () { return this.#timer.id }
  }
  const timerOf = Timeout.timerOf
  delete Timeout.timerOf

  function schedule (callback, delay, repeats, args) {
    if (typeof callback !== 'function') throw new WrongType('The callback must be a function')
    if (waiting >= native.timersMax()) {
      throw new WrongRange('A call may have ' + native.timersMax() + ' timers waiting at once')
    }
    const timer = record({
      id: ++created, due: now + delay, delay, repeats, callback, args, next: null, waits: false, handle: null
    })
    timer.handle = new Timeout(timer)
    insert(timer)
    return timer.handle
  }

  // As Node does it: from 1 ms to 2 ** 31 - 1 ms, and 1 ms for everything else.
  function milliseconds (delay) {
    const number = floor(+delay)
    return number >= 1 && number <= DELAY_MAX ? number : 1
  }

  function clear (handle) {
    if (handle === undefined || handle === null) return
    if (typeof handle === 'object') {
      const timer = timerOf(handle)
      if (timer !== null) remove(timer)
      return
    }
    if (typeof handle !== 'number' && typeof handle !== 'string') return
    const id = +handle
    let timer = first
    while (timer !== null && timer.id !== id) timer = timer.next
    if (timer !== null) remove(timer)
  }

  const globals = {
    setTimeout (callback, delay, ...args) {
      return schedule(callback, milliseconds(delay), false, args)
    },
    setInterval (callback, delay, ...args) {
      return schedule(callback, milliseconds(delay), true, args)
    },
    setImmediate (callback, ...args) { return schedule(callback, 0, false, args) },
    clearTimeout (timeout) { clear(timeout) },
    clearInterval (timeout) { clear(timeout) },
    clearImmediate (immediate) { clear(immediate) }
  }
  for (const name of Object.keys(globals)) define(globalThis, name, globals[name])

  return {
    // Runs the earliest timer; false when none is left.
    fire () {
      const timer = first
      if (timer === null) return false
      remove(timer)
      now = timer.due
      if (timer.repeats) {
        timer.due = now + timer.delay
        insert(timer)
      }
      try {
        apply(timer.callback, timer.handle, timer.args)
      } catch (thrown) {
        uncaught('Uncaught', thrown)
      }
      return true
    },
    drop () {
      while (first !== null) {
        first.waits = false
        first = first.next
      }
      now = waiting = 0
    }
  }
}
