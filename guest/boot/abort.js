// AbortController and AbortSignal as the DOM standard has them, on event-target-shim's EventTarget.

import { Event, EventTarget, getEventAttributeValue, setEventAttributeValue } from 'event-target-shim'
import { define } from './primordials.js'

const aborted = () => new DOMException('This operation was aborted', 'AbortError')

export function installEvents () {
  let abort

  class AbortSignal extends EventTarget {
    #aborted = false; #reason = undefined; #dependents = new Set()
    constructor (key) {
      if (key !== abort) throw Object.assign(new TypeError('Illegal constructor'), { code: 'ERR_ILLEGAL_CONSTRUCTOR' })
      super()
    }

    get aborted () { return this.#aborted }
    get reason () { return this.#reason }
    get onabort () { return getEventAttributeValue(this, 'abort') }
    set onabort (listener) { setEventAttributeValue(this, 'abort', listener) }
    throwIfAborted () { if (this.#aborted) throw this.#reason }

    static abort (reason = aborted()) {
      const signal = new AbortSignal(abort)
      abort(signal, reason)
      return signal
    }

    // In virtual time, like every timer.
    static timeout (milliseconds) {
      const signal = new AbortSignal(abort)
      setTimeout(() => abort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), milliseconds)
      return signal
    }

    static any (signals) {
      const result = new AbortSignal(abort)
      for (const signal of signals) {
        if (!signal.#aborted) continue
        abort(result, signal.#reason)
        return result
      }
      for (const signal of signals) signal.#dependents.add(result)
      return result
    }

    static {
      abort = (signal, reason) => {
        if (signal.#aborted) return
        signal.#aborted = true
        signal.#reason = reason
        const dependents = signal.#dependents
        signal.#dependents = new Set()
        signal.dispatchEvent(new Event('abort'))
        for (const dependent of dependents) abort(dependent, reason)
      }
    }
  }
  class AbortController {
    #signal = new AbortSignal(abort)
    get signal () { return this.#signal }
    abort (reason = aborted()) { abort(this.#signal, reason) }
  }

  for (const [name, value] of Object.entries({ AbortController, AbortSignal, Event, EventTarget })) {
    Object.defineProperty(value.prototype, Symbol.toStringTag, { value: name, configurable: true })
    define(globalThis, name, value)
  }
}
