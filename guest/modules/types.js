// `util.types`, from the class that the engine itself keeps for each object: no property is read.

const kind = nodevms.kind

const is = (...names) => (value) => names.includes(kind(value))
const typedArrays = ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'Float16Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array']
const boxed = ['Number', 'String', 'Boolean', 'BigInt', 'Symbol']
const never = () => false

const types = {
  isExternal: never,
  isDate: is('Date'),
  isArgumentsObject: is('Arguments'),
  isBigIntObject: is('BigInt'),
  isBooleanObject: is('Boolean'),
  isNumberObject: is('Number'),
  isStringObject: is('String'),
  isSymbolObject: is('Symbol'),
  isBoxedPrimitive: is(...boxed),
  isNativeError: is('Error', 'DOMException'),
  isRegExp: is('RegExp'),
  isAsyncFunction: is('AsyncFunction', 'AsyncGeneratorFunction'),
  isGeneratorFunction: is('GeneratorFunction', 'AsyncGeneratorFunction'),
  isGeneratorObject: is('Generator', 'AsyncGenerator'),
  isPromise: is('Promise'),
  isMap: is('Map'),
  isSet: is('Set'),
  isMapIterator: is('Map Iterator'),
  isSetIterator: is('Set Iterator'),
  isWeakMap: is('WeakMap'),
  isWeakSet: is('WeakSet'),
  isArrayBuffer: is('ArrayBuffer'),
  isDataView: is('DataView'),
  isSharedArrayBuffer: never,
  isAnyArrayBuffer: is('ArrayBuffer'),
  isProxy: is('Proxy'),
  isModuleNamespaceObject: is('Module'),
  isArrayBufferView: ArrayBuffer.isView,
  isTypedArray: is(...typedArrays),
  isKeyObject: never,
  isCryptoKey: never
}
for (const name of typedArrays) types['is' + name] = is(name)

module.exports = types
