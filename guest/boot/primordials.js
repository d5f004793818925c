// What the boot script uses of the language, taken before any script could change it. After a
// script has run, nothing here may iterate, spread, destructure arrays or call a method by name.
// Template literals do: the engine looks up String.prototype.concat for them. They are refused by
// the build.

const { bind, call } = Function.prototype
export const { apply, construct, ownKeys, getPrototypeOf } = Reflect
export const { defineProperty, freeze, getOwnPropertyDescriptor, hasOwn, is, keys, setPrototypeOf } = Object
export const { isArray } = Array
export const { isView } = ArrayBuffer
export const { parse, stringify } = JSON
export const { min, max, floor } = Math

export const uncurry = (method) => apply(bind, call, [method])
const getter = (object, name) => uncurry(getOwnPropertyDescriptor(object, name).get)

export const concat = uncurry(String.prototype.concat)
export const slice = uncurry(String.prototype.slice)
export const toLowerCase = uncurry(String.prototype.toLowerCase)
export const padEnd = uncurry(String.prototype.padEnd)
export const repeat = uncurry(String.prototype.repeat)
export const trim = uncurry(String.prototype.trim)
export const indexOf = uncurry(String.prototype.indexOf)
export const charCodeAt = uncurry(String.prototype.charCodeAt)
export const replaceAll = uncurry(String.prototype.replaceAll)
export const isWellFormed = uncurry(String.prototype.isWellFormed)
export const functionText = uncurry(Function.prototype.toString)
export const errorText = uncurry(Error.prototype.toString)
export const symbolText = uncurry(Symbol.prototype.toString)
export const dateText = uncurry(Date.prototype.toISOString)
export const { now } = Date
export const dateValue = uncurry(Date.prototype.getTime)
export const mapEach = uncurry(Map.prototype.forEach)
export const mapSize = getter(Map.prototype, 'size')
export const setEach = uncurry(Set.prototype.forEach)
export const setSize = getter(Set.prototype, 'size')
export const bufferLength = getter(ArrayBuffer.prototype, 'byteLength')

const typedArray = getPrototypeOf(Uint8Array.prototype)
export const arrayLength = getter(typedArray, 'length')
export const arrayName = getter(typedArray, Symbol.toStringTag)
export const arraySet = uncurry(typedArray.set)
const decodeBase64 = Uint8Array.fromBase64
export const fromBase64 = (text) => apply(decodeBase64, Uint8Array, [text])
export const toBase64 = uncurry(Uint8Array.prototype.toBase64)
export const toHex = uncurry(Uint8Array.prototype.toHex)

const regExpSource = getter(RegExp.prototype, 'source')
const regExpFlags = ['hasIndices', 'global', 'ignoreCase', 'multiline', 'dotAll', 'unicode', 'unicodeSets', 'sticky']
  .map((name) => getter(RegExp.prototype, name))
export function regExpText (regExp) {
  let text = '/' + regExpSource(regExp) + '/'
  for (let i = 0; i < regExpFlags.length; i++) if (regExpFlags[i](regExp)) text += slice('dgimsuvy', i, i + 1)
  return text
}

export const { parseInt: integer, parseFloat: float } = globalThis
export const Bytes = Uint8Array
export const NoBytes = ArrayBuffer
export const Moment = Date
export const PlainError = Error
export const WrongType = TypeError
export const WrongRange = RangeError

// What a template literal makes of a value.
export const toText = (value) => concat('', value)

// JSON text of a string: no toJSON is looked up for primitives.
export const quote = (string) => stringify(toText(string))

// Data of our own that no prototype shows through.
export const record = (members) => setPrototypeOf(members, null)

export function define (object, name, value) {
  defineProperty(object, name, record({ value, writable: true, enumerable: false, configurable: true }))
}
