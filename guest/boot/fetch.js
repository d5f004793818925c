// The global `fetch`: in an oracle it asks the host, elsewhere it says so. A part of the Fetch Standard
// that holds whole answers in memory; which servers may be asked is the operator's business.

import WebURL from 'core-js-pure/actual/url/index.js'
import WebSearchParams from 'core-js-pure/actual/url-search-params/index.js'
import {
  Bytes, NoBytes, PlainError, WrongType, apply, define, hasOwn, indexOf, isArray, keys, parse, quote, record, slice, sort,
  toLowerCase, toText, toUpperCase, trim
} from './primordials.js'

const TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
const NORMALISED = record({ DELETE: 1, GET: 1, HEAD: 1, OPTIONS: 1, POST: 1, PUT: 1 })
const iterator = Symbol.iterator

function nameOf (value) {
  const name = toLowerCase(toText(value))
  for (let i = 0; i < name.length; i++) {
    if (indexOf(TOKEN, slice(name, i, i + 1)) < 0) throw new WrongType('Invalid header name: ' + name)
  }
  if (name === '') throw new WrongType('Invalid header name: it is empty')
  return name
}

function valueOf (value) {
  const text = trim(toText(value))
  for (let i = 0; i < text.length; i++) {
    const unit = slice(text, i, i + 1)
    if (unit > '\xff' || unit === '\r' || unit === '\n' || unit === '\0') throw new WrongType('Invalid header value')
  }
  return text
}

class Headers {
  #names = record({})
  constructor (init = undefined) {
    if (init === undefined || init === null) return
    if (init instanceof Headers) {
      init.forEach((value, name) => this.append(name, value))
    } else if (isArray(init)) {
      for (let i = 0; i < init.length; i++) this.append(init[i][0], init[i][1])
    } else {
      const names = keys(init)
      for (let i = 0; i < names.length; i++) this.append(names[i], init[names[i]])
    }
  }

  append (name, value) {
    name = nameOf(name)
    this.#names[name] = (hasOwn(this.#names, name) ? this.#names[name] + ', ' : '') + valueOf(value)
  }

  set (name, value) { this.#names[nameOf(name)] = valueOf(value) }
  delete (name) { delete this.#names[nameOf(name)] }
  has (name) { return hasOwn(this.#names, nameOf(name)) }
  get (name) {
    name = nameOf(name)
    return hasOwn(this.#names, name) ? this.#names[name] : null
  }

  forEach (callback, self = undefined) {
    const names = sort(keys(this.#names))
    for (let i = 0; i < names.length; i++) apply(callback, self, [this.#names[names[i]], names[i], this])
  }

  * entries () {
    const names = sort(keys(this.#names))
    for (let i = 0; i < names.length; i++) yield [names[i], this.#names[names[i]]]
  }

  * keys () {
    const names = sort(keys(this.#names))
    for (let i = 0; i < names.length; i++) yield names[i]
  }

  * values () {
    const names = sort(keys(this.#names))
    for (let i = 0; i < names.length; i++) yield this.#names[names[i]]
  }

  [iterator] () { return this.entries() }
}

export function installFetch (native) {
  class Response {
    #members; #body; #used = false; #headers
    constructor (members, body) {
      this.#members = members
      this.#body = body
      this.#headers = new Headers(members.headers)
    }

    get status () { return this.#members.status }
    get statusText () { return this.#members.statusText }
    get ok () { return this.status >= 200 && this.status <= 299 }
    get url () { return this.#members.url }
    get redirected () { return this.#members.redirected }
    get headers () { return this.#headers }
    get bodyUsed () { return this.#used }
    get type () { return 'basic' }

    async arrayBuffer () {
      if (this.#used) throw new WrongType('Body is unusable: Body has already been read')
      this.#used = true
      return this.#body
    }

    async bytes () { return new Bytes(await this.arrayBuffer()) }
    async text () {
      const text = native.decode(await this.arrayBuffer(), false)
      return slice(text, 0, 1) === '\ufeff' ? slice(text, 1) : text
    }

    async json () { return parse(await this.text()) }
  }

  // The method, headers and body of a request as the host takes them.
  function requestOf (url, options) {
    let method = toText(options.method ?? 'GET')
    if (hasOwn(NORMALISED, toUpperCase(method))) method = toUpperCase(method)
    const headers = new Headers(options.headers)
    let { body } = options
    if (body !== undefined && body !== null) {
      if (method === 'GET' || method === 'HEAD') throw new WrongType('Request with GET/HEAD method cannot have body')
      let type = null
      if (body instanceof WebSearchParams) type = 'application/x-www-form-urlencoded;charset=UTF-8'
      else if (!native.isBytes(body)) type = 'text/plain;charset=UTF-8'
      if (type !== null) {
        body = native.encode(toText(body))
        if (!headers.has('content-type')) headers.set('content-type', type)
      }
    }
    const redirect = toText(options.redirect ?? 'follow')
    let text = ''
    headers.forEach((value, name) => { text += (text === '' ? '[' : ',[') + quote(name) + ',' + quote(value) + ']' })
    return record({
      text: '{"url":' + quote(url) + ',"method":' + quote(method) + ',"headers":[' + text + '],"redirect":' + quote(redirect) + '}',
      body: body ?? undefined
    })
  }

  async function fetch (resource, options = undefined) {
    if (!native.inOracle()) {
      throw new PlainError('fetch can be used in System.oracle alone, as in System.oracle(() => fetch(url).then(r => r.json()))')
    }
    const request = requestOf(new WebURL(toText(resource)).href, options ?? record({}))
    const answer = native.fetch(request.text, request.body)
    if (hasOwn(answer[0], 'error')) throw new WrongType('fetch failed: ' + answer[0].error.message)
    return new Response(answer[0].value, hasOwn(answer, 1) ? answer[1] : new NoBytes(0))
  }
  define(globalThis, 'Headers', Headers)
  define(globalThis, 'Response', Response)
  define(globalThis, 'fetch', fetch)
}
