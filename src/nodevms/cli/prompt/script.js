'use strict'
// What the prompt runs in our own engine. A request to its host travels as the name of a file that
// is read: the host answers it as `host.py` says. Promises of calls and timers are kept here, and
// `evaluate` waits for the host whenever nothing else is left to do.

const { readFile } = System.files
const { parse, stringify } = JSON
const { defineProperty, getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf } = Object
const { apply, construct } = Reflect
const evaluateGlobally = eval
const dir = console.dir
const engineSoon = setImmediate
const EngineDate = Date
const EnginePromise = Promise
const EngineError = Error

const ask = request => readFile(stringify(request), 'json')
// When every other job is done: the engine fires its own timers only then.
const soon = () => new EnginePromise(resolve => engineSoon(resolve))
const hide = (object, name, value) =>
  defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true })

// The time of day, as the host told it last: it moves on whenever a call or a timer is waited for.
let now = 0
function PromptDate (...parts) {
  if (!new.target) return new EngineDate(now).toString()
  return construct(EngineDate, parts.length === 0 ? [now] : parts, new.target)
}
PromptDate.prototype = EngineDate.prototype
PromptDate.parse = EngineDate.parse
PromptDate.UTC = EngineDate.UTC
PromptDate.now = () => now
hide(PromptDate, 'name', 'Date')
hide(EngineDate.prototype, 'constructor', PromptDate)
hide(globalThis, 'Date', PromptDate)

// Calls: each is sent at once, and answers come in any order.
const calls = new Map()
const origins = new WeakMap() // what is known of an error that came from the host
let lastCall = 0

const call = (method, list) => new EnginePromise((resolve, reject) => {
  const id = ++lastCall
  ask(['call', id, method, stringify(list)])
  calls.set(id, { resolve, reject })
})

function errorOf (given) {
  const error = new EngineError(given.message)
  hide(error, 'name', given.name)
  const { stack } = given // the frames in the backend's script; debug mode alone tells them
  hide(error, 'stack', stack === undefined ? '' : `${given.name}: ${given.message}\n${stack}`)
  for (const name of ['code', 'seq', 'value']) if (name in given) hide(error, name, given[name])
  origins.set(error, given)
  return error
}

function take (answers) {
  for (const [id, answer] of answers) {
    const { resolve, reject } = calls.get(id)
    calls.delete(id)
    if ('error' in answer) reject(errorOf(answer.error))
    else resolve(answer.value)
  }
}

// Timers in real time.
const timers = new Map()
let lastTimer = 0

class Timeout {
  constructor (callback, delay, repeats, list) {
    if (typeof callback !== 'function') throw new TypeError('The callback must be a function')
    delay = delay >= 1 && delay <= 0x7fffffff ? Math.floor(delay) : 1
    const timer = { delay, repeats, callback, list, handle: this, due: now + delay }
    hide(this, 'id', ++lastTimer)
    hide(this, 'timer', timer)
    timers.set(this.id, timer)
  }

  ref () { return this }
  unref () { return this }
  hasRef () { return true }
  close () { timers.delete(this.id); return this }
  refresh () { this.timer.due = now + this.timer.delay; return this }
  [Symbol.toPrimitive] () { return this.id }
}

const clear = timer => { timers.delete(timer instanceof Timeout ? timer.id : Number(timer)) }
for (const [name, value] of Object.entries({
  setTimeout: (callback, delay, ...list) => new Timeout(callback, delay, false, list),
  setInterval: (callback, delay, ...list) => new Timeout(callback, delay, true, list),
  setImmediate: (callback, ...list) => new Timeout(callback, 0, false, list),
  clearTimeout: clear,
  clearInterval: clear,
  clearImmediate: clear
})) hide(globalThis, name, value)

function nextTimer () {
  let next
  for (const timer of timers.values()) if (next === undefined || timer.due < next.due) next = timer
  return next
}

const untilNextTimer = () => timers.size === 0 ? null : Math.max(0, nextTimer().due - now)

function fire () {
  const timer = nextTimer()
  if (timer === undefined || timer.due > now) return
  if (timer.repeats) timer.due = now + timer.delay
  else timers.delete(timer.handle.id)
  try {
    apply(timer.callback, timer.handle, timer.list)
  } catch (thrown) {
    tellFailure(thrown)
  }
}

// Waits for an answer or for the next timer, and runs what waited for it.
async function turn () {
  const { now: time, answers } = await ask(['wait', untilNextTimer()])
  now = time
  take(answers)
  await soon()
  fire()
  await soon()
}

// The names that are declared at the prompt are properties of the global object.
const constants = new Set()

function declare (names) {
  for (const name of names) {
    const own = getOwnPropertyDescriptor(globalThis, name)
    if (own !== undefined && !constants.has(name)) continue
    const value = own === undefined ? undefined : globalThis[name]
    constants.delete(name)
    defineProperty(globalThis, name, { value, writable: true, enumerable: true, configurable: true })
  }
}

function seal (names) {
  for (const name of names) {
    const value = globalThis[name]
    constants.add(name)
    defineProperty(globalThis, name, {
      get: () => value,
      set () { throw new TypeError(`'${name}' is a constant; declare it anew to change it`) },
      enumerable: true,
      configurable: true
    })
  }
}

// `_` is the last value until somebody assigns it.
let lastValue
defineProperty(globalThis, '_', {
  get: () => lastValue, set (value) { hide(globalThis, '_', value) }, enumerable: false, configurable: true
})

function tellValue (value, wanted) {
  lastValue = value
  if (wanted === 'json') ask(['json', stringify(value) ?? null])
  else if (wanted === 'raw' && typeof value === 'string') ask(['string', value])
  else if (value !== undefined) {
    ask(['show'])
    dir(value)
  }
}

const textOf = value => typeof value === 'string' ? value : ''

function tellFailure (thrown) {
  let told = null
  try {
    if (thrown instanceof EngineError) {
      const { name, message, stack, code } = thrown
      told = { name: textOf(name), message: textOf(message), stack: textOf(stack) }
      if (typeof code === 'string' || typeof code === 'number') told.code = code
      if (origins.has(thrown)) Object.assign(told, origins.get(thrown))
    }
  } catch {}
  ask(['failed', told])
  if (told === null) dir(thrown)
}

exports.connect = (methods, time) => {
  now = time
  const client = {}
  for (const name of methods) {
    defineProperty(client, name, { value: { [name]: (...list) => call(name, list) }[name], enumerable: true })
  }
  defineProperty(globalThis, 'client', {
    value: client, writable: true, enumerable: true, configurable: true
  })
}

// Evaluates one input, tells its value or error, and ends when the value is there and every call
// is answered. Timers may be left. Returns the milliseconds until the next one.
exports.evaluate = async (source, time) => {
  now = time
  declare(source.names)
  let ended = false
  let value
  const run = async () => (value = evaluateGlobally(source.code))
  run().then(settled => {
    seal(source.constants)
    tellValue(settled, source.wanted)
  }).catch(tellFailure).then(() => { ended = true })
  await soon()
  while (!ended || calls.size > 0) {
    if (!ended && calls.size === 0 && timers.size === 0) {
      if (source.waits) tellFailure(new EngineError('What is awaited never settles'))
      else tellValue(value, source.wanted)
      break
    }
    await turn()
  }
  return untilNextTimer()
}

// Fires the timers that are due. Returns the milliseconds until the next one.
exports.tick = async time => {
  now = time
  fire()
  await soon()
  while (calls.size > 0) await turn()
  return untilNextTimer()
}

// Where a text cannot be compiled: null, or the error's message and stack. Nothing is run.
const compile = evaluateGlobally('(function () { eval(arguments[0]) })')
exports.check = code => {
  try {
    compile(`throw null\n${code}`)
  } catch (error) {
    return error === null ? null : { message: error.message, stack: error.stack }
  }
}

// The names at the end of a path such as ['client'], found without running a getter.
exports.members = path => {
  let at = globalThis
  for (const name of path) {
    let own
    for (let object = Object(at); object !== null && own === undefined; object = getPrototypeOf(object)) {
      own = getOwnPropertyDescriptor(object, name)
    }
    if (own === undefined) return []
    at = constants.has(name) && at === globalThis ? own.get() : own.value
    if (at === undefined || at === null) return []
  }
  const names = new Set()
  for (let object = Object(at); object !== null && names.size < 2000; object = getPrototypeOf(object)) {
    if (object === Object.prototype && at !== Object.prototype) break
    for (const name of getOwnPropertyNames(object)) if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) names.add(name)
  }
  return [...names]
}
