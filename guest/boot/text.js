// TextEncoder and TextDecoder (UTF-8 and UTF-16LE) over the guest's own converters.

import {
  Bytes, WrongRange, WrongType, arrayLength, arraySet, define, hasOwn, record, slice, toLowerCase, toText, trim
} from './primordials.js'

const labels = record({
  'utf-8': 'utf-8', utf8: 'utf-8', 'unicode-1-1-utf-8': 'utf-8', 'utf-16le': 'utf-16le', 'utf-16': 'utf-16le', 'ucs-2': 'utf-16le'
})

export function makeText (native) {
  const asBytes = (source) => {
    if (source === undefined) return new Bytes(0)
    if (!native.isBytes(source)) throw new WrongType('The input must be an ArrayBuffer or a view of one')
    return new Bytes(native.copy(source, 0, Infinity))
  }

  class TextEncoder {
    get encoding () { return 'utf-8' }
    encode (input = '') { return new Bytes(native.encode(toText(input))) }
    encodeInto (source, destination) {
      const text = toText(source)
      const room = arrayLength(destination)
      const all = new Bytes(native.encode(text))
      if (arrayLength(all) <= room) {
        arraySet(destination, all)
        return { read: text.length, written: arrayLength(all) }
      }
      let read = 0
      let written = 0
      while (read < text.length) {
        const unit = slice(text, read, read + 1)
        const pair = read + 1 < text.length && unit >= '\ud800' && unit <= '\udbff' ? slice(text, read, read + 2) : unit
        const low = pair.length === 2 ? slice(pair, 1) : ''
        const char = low >= '\udc00' && low <= '\udfff' ? pair : unit
        const bytes = new Bytes(native.encode(char))
        if (written + arrayLength(bytes) > room) break
        arraySet(destination, bytes, written)
        written += arrayLength(bytes)
        read += char.length
      }
      return { read, written }
    }
  }

  class TextDecoder {
    #encoding; #fatal; #ignoreBOM; #left = null; #started = false
    constructor (label = 'utf-8', options = undefined) {
      const name = toLowerCase(trim(toText(label)))
      if (!hasOwn(labels, name)) throw new WrongRange('The "' + label + '" encoding is not supported')
      this.#encoding = labels[name]
      this.#fatal = !!options?.fatal
      this.#ignoreBOM = !!options?.ignoreBOM
    }

    get encoding () { return this.#encoding }
    get fatal () { return this.#fatal }
    get ignoreBOM () { return this.#ignoreBOM }

    decode (input = undefined, options = undefined) {
      const stream = !!options?.stream
      let bytes = asBytes(input)
      if (this.#left !== null) {
        const whole = new Bytes(arrayLength(this.#left) + arrayLength(bytes))
        arraySet(whole, this.#left)
        arraySet(whole, bytes, arrayLength(this.#left))
        bytes = whole
        this.#left = null
      }
      const utf8 = this.#encoding === 'utf-8'
      const cut = utf8 ? native.unfinished(bytes) : arrayLength(bytes) % 2
      if (stream && cut > 0) {
        const whole = arrayLength(bytes) - cut
        this.#left = new Bytes(native.copy(bytes, whole, whole + cut))
        bytes = new Bytes(native.copy(bytes, 0, whole))
      }
      let text = utf8 ? native.decode(bytes, this.#fatal) : native.decodeUtf16(bytes, this.#fatal)
      if (!this.#started && !this.#ignoreBOM && slice(text, 0, 1) === '\ufeff') text = slice(text, 1)
      this.#started = stream && (this.#started || arrayLength(bytes) > 0)
      return text
    }
  }
  define(globalThis, 'TextEncoder', TextEncoder)
  define(globalThis, 'TextDecoder', TextDecoder)
}
