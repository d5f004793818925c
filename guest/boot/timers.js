// Timers in virtual time: they fire in the order of their due time, then of their creation, when
// nothing else is left to do, and no clock moves.

import { WrongRange, WrongType, apply, define, floor, record } from './primordials.js'
import { makeQueue } from './queue.js'

const DELAY_MAX = 0x7fffffff

export function makeTimers (native, uncaught) {
  const queue = makeQueue()
  const waits = queue.waits
  const byId = record({})
  let now = 0
  let created = 0

  function insert (timer) {
    queue.add(timer)
    byId[timer.id] = timer
  }

  function remove (timer) {
    if (!waits(timer)) return
    queue.remove(timer)
    delete byId[timer.id]
  }

  // A handle shows its class, and what a script made up must not get into the queue.
  let waitsForHandle = null

  class Timeout {
    #timer
    constructor () {
      if (waitsForHandle === null) throw new WrongType('Illegal constructor')
      this.#timer = waitsForHandle
      waitsForHandle = null
    }

    static timerOf (value) { return #timer in value ? value.#timer : null }
    ref () { return this }
    unref () { return this }
    hasRef () { return true }
    refresh () {
      if (waits(this.#timer)) {
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
    if (queue.size() >= native.timersMax()) {
      throw new WrongRange('A call may have ' + native.timersMax() + ' timers waiting at once')
    }
    const timer = record({
      id: ++created, due: now + delay, delay, repeats, callback, args, at: -1, turn: 0, handle: null
    })
    waitsForHandle = timer
    timer.handle = new Timeout()
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
    const timer = byId[id]
    if (timer !== undefined) remove(timer)
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
      const timer = queue.first()
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
      for (let timer = queue.first(); timer !== null; timer = queue.first()) remove(timer)
      now = 0
    }
  }
}
