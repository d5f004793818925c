// `System.files`: encodings are done here; only paths, options and raw bytes cross to the host.

import {
  Bytes, Moment, NoBytes, WrongType, apply, define, freeze, fromBase64, hasOwn, isView, isWellFormed, keys, parse, quote, record, setPrototypeOf,
  stringify,
  toBase64, toHex, toLowerCase
} from './primordials.js'
import { namedError } from './errors.js'

const FOLDER = 0o040000
const KIND = 0o170000

const encodings = record({
  utf8: 'utf8', 'utf-8': 'utf8', json: 'json', base64: 'base64', hex: 'hex', binary: 'binary'
})

class Stat {
  isFile () { return (this.mode & KIND) !== FOLDER }
  isDirectory () { return (this.mode & KIND) === FOLDER }
}
const statPrototype = Stat.prototype

export function makeFiles (native, Buffer) {
  const { from } = Buffer
  const bufferPrototype = Buffer.prototype

  function pathOf (path) {
    if (typeof path !== 'string') throw namedError('InvalidPathError', 'The path must be a string')
    if (!isWellFormed(path)) throw namedError('InvalidPathError', 'The path has half a surrogate pair')
    return quote(path)
  }

  // Options come as an object or, for what has one option, as its value.
  function option (options, name) {
    if (options === undefined || options === null) return undefined
    return typeof options === 'object' ? options[name] : options
  }

  function encodingOf (options) {
    const given = option(options, 'encoding')
    if (given === undefined || given === null) return undefined
    const name = typeof given === 'string' ? toLowerCase(given) : ''
    if (hasOwn(encodings, name)) return encodings[name]
    throw namedError('InvalidEncodingError', 'The encoding must be utf8, json, base64, hex or binary')
  }

  const failed = (answer) => hasOwn(answer[0], 'error')
  function errorOf (answer) {
    const { name, message } = answer[0].error
    const error = namedError(name, message)
    if (hasOwn(answer[0].error, 'code')) define(error, 'code', answer[0].error.code)
    return error
  }

  // Asks the host and returns its answer's value, or throws its error.
  function ask (request, data) {
    const answer = native.files(request, data)
    if (failed(answer)) throw errorOf(answer)
    return answer[0].value
  }

  const asBuffer = (arrayBuffer) => setPrototypeOf(new Bytes(arrayBuffer), bufferPrototype)

  function asStat (members) {
    members.mtime = new Moment(members.mtime)
    members.ctime = new Moment(members.ctime)
    return setPrototypeOf(members, statPrototype)
  }

  function decode (bytes, encoding) {
    if (encoding === 'binary') return asBuffer(bytes)
    if (encoding === 'base64') return toBase64(new Bytes(bytes))
    if (encoding === 'hex') return toHex(new Bytes(bytes))
    const text = native.decode(bytes, false)
    return encoding === 'json' ? parse(text) : text
  }

  // A file that is not there yet reads as null when JSON is wanted: a script can start from it.
  function read (path, encoding) {
    const answer = native.files('["readFile",' + path + ']')
    if (!failed(answer)) return decode(hasOwn(answer, 1) ? answer[1] : new NoBytes(0), encoding)
    if (encoding === 'json' && answer[0].error.name === 'NotFoundError') return null
    throw errorOf(answer)
  }

  function toText (data) {
    const text = stringify(data)
    if (text === undefined) throw new WrongType('The data has no JSON form')
    return text
  }

  // The engine decodes what is strictly base64 a hundred times as fast as Buffer, which takes all else
  // that Node takes.
  function fromText (data, encoding) {
    if (encoding === 'base64') {
      try {
        return fromBase64(data)
      } catch {}
    }
    return apply(from, Buffer, [data, encoding])
  }

  function bytesOf (data, encoding) {
    if (encoding === 'json') return native.encode(toText(data))
    if (native.isBytes(data)) return data
    if (isView(data) || native.kind(data) === 'ArrayBuffer') throw new WrongType('The bytes are detached or out of bounds')
    if (typeof data === 'string') {
      if (encoding === undefined || encoding === 'utf8') return native.encode(data)
      return fromText(data, encoding)
    }
    if (encoding === undefined) return native.encode(toText(data))
    throw new WrongType('With the encoding ' + encoding + ', the data must be a string or bytes')
  }

  const flag = (options, name) => (option(options, name) ? 'true' : 'false')

  const files = {
    async readFile (path, options) {
      return read(pathOf(path), encodingOf(options) ?? 'utf8')
    },
    async writeFile (path, data, options) {
      const request = '["writeFile",' + pathOf(path) + ']'
      ask(request, bytesOf(data, encodingOf(options)))
    },
    async stat (path) { return asStat(ask('["stat",' + pathOf(path) + ']')) },
    async readdir (path, options) {
      const recursive = typeof options === 'object' ? flag(options, 'recursive') : 'false'
      const stat = typeof options === 'object' ? flag(options, 'stat') : 'false'
      const names = ask('["readdir",' + pathOf(path ?? '/') + ',{"recursive":' + recursive + ',"stat":' + stat + '}]')
      if (stat === 'true') for (let i = 0; i < names.length; i++) asStat(names[i].stat)
      return names
    },
    async mkdir (path) { ask('["mkdir",' + pathOf(path) + ']') },
    async unlink (path) { ask('["unlink",' + pathOf(path) + ']') },
    async rmdir (path, options) {
      const recursive = typeof options === 'object' ? flag(options, 'recursive') : 'false'
      ask('["rmdir",' + pathOf(path) + ',{"recursive":' + recursive + '}]')
    },
    async copy (path, target) { ask('["copy",' + pathOf(path) + ',' + pathOf(target) + ']') },
    async rename (path, target) { ask('["rename",' + pathOf(path) + ',' + pathOf(target) + ']') },
    async exists (path) { return ask('["exists",' + pathOf(path) + ']') },
    async history (options) {
      return ask('["history",' + (stringify(options ?? record({})) ?? '{}') + ']')
    },
    async getInfo () { return ask('["getInfo"]') }
  }
  const names = keys(files)
  for (let i = 0; i < names.length; i++) freeze(files[names[i]])
  return freeze(files)
}
