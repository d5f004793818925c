// The web's part of Node's globals, from packages that know the standards better than we would.

import structuredClone from 'core-js-pure/actual/structured-clone.js'
import URL from 'core-js-pure/actual/url/index.js'
import URLSearchParams from 'core-js-pure/actual/url-search-params/index.js'
import { Buffer } from 'buffer'
import { define } from './primordials.js'

export { Buffer }

export function installWeb () {
  define(globalThis, 'structuredClone', structuredClone)
  define(globalThis, 'URL', URL)
  define(globalThis, 'URLSearchParams', URLSearchParams)
  define(globalThis, 'Buffer', Buffer)
}
