exports.run = () => [
  () => global === globalThis,
  () => { const order = []; queueMicrotask(() => order.push('m')); order.push('s'); return Promise.resolve().then(() => order) },
  () => [atob('YQ=='), btoa('ä')],
  () => structuredClone({ a: [new Date(0), new Map([[1, new Set([2])]])], b: /x/g }).a[1].get(1).has(2),
  () => structuredClone(() => {}),
  () => {
    const controller = new AbortController()
    const seen = []
    controller.signal.addEventListener('abort', e => seen.push([e.type, e.target === controller.signal]))
    controller.signal.onabort = () => seen.push('on')
    controller.abort()
    controller.abort('again')
    return [seen, controller.signal.aborted, controller.signal.reason.name, controller.signal.reason.code]
  },
  () => AbortSignal.abort(5).throwIfAborted(),
  () => { try { AbortSignal.abort(5).throwIfAborted() } catch (e) { return e } },
  () => {
    const one = new AbortController()
    const any = AbortSignal.any([one.signal, new AbortController().signal])
    const before = any.aborted
    one.abort('why')
    return [before, any.aborted, any.reason, AbortSignal.any([one.signal]).aborted]
  },
  async () => {
    const signal = AbortSignal.timeout(5)
    setTimeout(() => {}, 500) // Node's own timer keeps nothing alive
    return new Promise(resolve => { signal.onabort = () => resolve([signal.aborted, signal.reason.name]) })
  },
  () => new AbortSignal(),
  () => {
    const target = new EventTarget()
    const seen = []
    const listener = e => { seen.push(e.type); e.preventDefault() }
    target.addEventListener('a', listener)
    target.addEventListener('a', listener)
    target.addEventListener('a', { handleEvent: e => seen.push([e.cancelable, e.defaultPrevented]) }, { once: true })
    const results = [target.dispatchEvent(new Event('a', { cancelable: true })), target.dispatchEvent(new Event('a'))]
    target.removeEventListener('a', listener)
    return [results, target.dispatchEvent(new Event('a')), seen]
  },
  () => Object.prototype.toString.call(new AbortController()) + Object.prototype.toString.call(new Event('x')),
  () => ['AbortController', 'AbortSignal', 'Event', 'EventTarget', 'global', 'URL', 'TextEncoder', 'structuredClone', 'setImmediate', 'queueMicrotask', 'atob', 'DOMException', 'Buffer', 'console']
    .map(name => [name, Object.getOwnPropertyDescriptor(globalThis, name)?.configurable, typeof globalThis[name]]),
  () => ['log', 'warn', 'dir', 'time', 'timeEnd', 'timeLog', 'trace', 'assert', 'clear', 'count', 'countReset', 'group', 'groupEnd', 'table', 'debug', 'info', 'dirxml', 'error', 'groupCollapsed']
    .map(name => typeof console[name]),
  () => [typeof require, typeof require.resolve, require.resolve('util'), require.resolve('node:util'), typeof module.require, module.require('util') === require('util')],
  () => require('nodevms-is-not-there'),
  () => require.resolve('./nodevms-is-not-there'),
  () => require(5),
  async () => import('nodevms-is-not-there'),
  async () => Object.keys(await import('node:path')).includes('default'),
  async () => (await import('path')).join('a', 'b'),
  async () => (await import('util')).default === require('util'),
  () => require('util') === require('node:util')
]
