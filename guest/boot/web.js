// The web's part of Node's globals, from packages that know the standards better than we would.

import cloneStructure from 'core-js-pure/actual/structured-clone.js'
import WebURL from 'core-js-pure/actual/url/index.js'
import WebSearchParams from 'core-js-pure/actual/url-search-params/index.js'
import buffers from 'buffer'
import { installEvents } from './abort.js'
import { define, defineProperty, record } from './primordials.js'

export { buffers }
export const { Buffer } = buffers

// A global under its own name, which the bundler may have changed in the function.
function install (name, value) {
  defineProperty(value, 'name', record({ value: name, configurable: true }))
  define(globalThis, name, value)
}

export function installWeb () {
  install('structuredClone', cloneStructure)
  install('URL', WebURL)
  install('URLSearchParams', WebSearchParams)
  install('Buffer', Buffer)
  define(globalThis, 'global', globalThis)
  installEvents()
  // core-js keeps what its modules share here; they have it by now.
  delete globalThis['__core-js_shared__']
}
