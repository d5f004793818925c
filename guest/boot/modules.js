// `require`, and what `import` of the same names gives. The modules lie in the image as bytecode; each
// is run at the first request for it, with the script's own rights: beside the language it gets the
// few functions of `inner`, none of which gives it anything that a script may not have.

import { Bytes, PlainError, WrongType, apply, define, freeze, hasOwn, record, slice } from './primordials.js'

// Specifier (without `node:`) to the bytecode that has it: guest/modules/*.js.
const places = record({
  assert: 'assert',
  'assert/strict': 'assert',
  buffer: 'buffer',
  crypto: 'crypto',
  events: 'events',
  path: 'path',
  'path/posix': 'path',
  querystring: 'querystring',
  string_decoder: 'string_decoder',
  url: 'url',
  util: 'util',
  'util/types': 'util'
})

const BUNDLE = 'npx esbuild script.js --bundle --platform=node --format=cjs --define:process.env={} --outfile=bundle.js'
const ofFiles = record({ fs: 1, 'fs/promises': 1 })
const ofMachine = record({
  child_process: 1, cluster: 1, dgram: 1, dns: 1, 'dns/promises': 1, http: 1, http2: 1, https: 1, inspector: 1, module: 1, net: 1,
  os: 1, perf_hooks: 1, process: 1, readline: 1, repl: 1, tls: 1, tty: 1, v8: 1, vm: 1, worker_threads: 1
})

function advice (name) {
  if (hasOwn(ofFiles, name)) return 'a backend script has its own files, in System.files'
  if (hasOwn(ofMachine, name)) return 'nothing in a backend script may depend on the machine or the network'
  return 'a backend script is self-contained; put what it needs from npm into it with: ' + BUNDLE
}

const withoutScheme = (specifier) => slice(specifier, 0, 5) === 'node:' ? slice(specifier, 5) : specifier

function missing (specifier, code) {
  const shown = specifier.length > 200 ? slice(specifier, 0, 200) + '…' : specifier
  const error = new PlainError("Cannot find module '" + shown + "': " + advice(withoutScheme(specifier)))
  define(error, 'code', code)
  return error
}

export function makeModules (native, buffers) {
  const { Buffer } = buffers
  const loaded = record({})

  // What a module may use beside the language.
  const inner = freeze(record({
    Buffer,
    package: buffers,
    encode: native.encode,
    kind: native.kind,
    promiseState: native.promiseState,
    proxyDetails: native.proxyDetails,
    random (count) {
      const bytes = new Bytes(count)
      native.random(bytes)
      return bytes
    },
    // Bytes, or true or false.
    crypto (request, data) {
      const answer = native.crypto(request, data)
      if (hasOwn(answer[0], 'error')) throw new WrongType(answer[0].error)
      return hasOwn(answer, 1) ? answer[1] : answer[0].value
    }
  }))

  function load (place) {
    if (hasOwn(loaded, place)) return loaded[place]
    const module = { exports: {} }
    loaded[place] = module.exports
    let ended = false
    try {
      apply(native.builtin(place), undefined, [requireInside, module, module.exports, inner])
      ended = true
    } finally {
      if (!ended) delete loaded[place]
    }
    return (loaded[place] = module.exports)
  }

  function requireInside (specifier) {
    if (specifier === 'internal/assert') return load('assert')
    if (specifier === 'internal/inspect') return load('inspect')
    if (specifier === 'util/') return load('util')[specifier]
    return load(places[specifier])[specifier]
  }

  function find (specifier, code) {
    const name = withoutScheme(specifier)
    if (!hasOwn(places, name)) throw missing(specifier, code)
    return name
  }

  function check (specifier) {
    if (typeof specifier !== 'string') {
      const error = new WrongType('The "id" argument must be of type string')
      define(error, 'code', 'ERR_INVALID_ARG_TYPE')
      throw error
    }
  }

  function require (specifier) {
    check(specifier)
    const name = find(specifier, 'MODULE_NOT_FOUND')
    return load(places[name])[name]
  }
  require.resolve = function resolve (specifier) {
    check(specifier)
    find(specifier, 'MODULE_NOT_FOUND')
    return specifier
  }

  return record({
    require,
    // The name under which the engine keeps what is imported; throws for what is not there.
    resolve: (specifier) => 'node:' + find(specifier, 'ERR_MODULE_NOT_FOUND'),
    // What `import` of that name binds: `default`, and each own member of it.
    imported (resolved) {
      const name = slice(resolved, 5)
      return load(places[name])[name]
    }
  })
}
