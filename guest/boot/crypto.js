// The global `crypto`: random values. In a call they come from its seed, as those of Math.random do,
// and everybody who reads the log knows them; in an oracle they come from the computer.

import { Bytes, arrayBytes, arrayName, define, hasOwn, record, slice, toHex } from './primordials.js'

const BYTES_MAX = 65536
const WebError = DOMException
const integers = record({
  Int8Array: 1, Uint8Array: 1, Uint8ClampedArray: 1, Int16Array: 1, Uint16Array: 1, Int32Array: 1, Uint32Array: 1,
  BigInt64Array: 1, BigUint64Array: 1
})

export function installCrypto (native) {
  class Crypto {
    getRandomValues (array) {
      const name = arrayName(array)
      if (name === undefined || !hasOwn(integers, name)) {
        throw new WebError('The data must be an integer-type TypedArray', 'TypeMismatchError')
      }
      if (arrayBytes(array) > BYTES_MAX) {
        throw new WebError('The requested length exceeds 65,536 bytes', 'QuotaExceededError')
      }
      native.random(array)
      return array
    }

    // Version 4 of RFC 9562.
    randomUUID () {
      const bytes = new Bytes(16)
      native.random(bytes)
      bytes[6] = (bytes[6] & 0x0f) | 0x40
      bytes[8] = (bytes[8] & 0x3f) | 0x80
      const hex = toHex(bytes)
      return slice(hex, 0, 8) + '-' + slice(hex, 8, 12) + '-' + slice(hex, 12, 16) + '-' + slice(hex, 16, 20) + '-' + slice(hex, 20)
    }
  }
  define(globalThis, 'Crypto', Crypto)
  define(globalThis, 'crypto', new Crypto())
}
