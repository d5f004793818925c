// Errors of the host API: real Errors, of a class for each name that the host uses. And stacks that
// begin with what happened, as scripts for Node expect; the engine's own have the frames alone.

import {
  PlainError, define, defineProperty, errorText, getOwnPropertyDescriptor, hasOwn, record, slice
} from './primordials.js'

const classes = record({})

function errorClass (name) {
  if (!hasOwn(classes, name)) {
    const Class = { [name]: class extends PlainError {} }[name]
    define(Class.prototype, 'name', name)
    // Keeps `super()` on the Error that we took, whatever a script does to the class.
    Object.preventExtensions(Class)
    classes[name] = Class
  }
  return classes[name]
}

// All that the files can raise exist from the start, so that none depends on what ran before.
for (const name of [
  'NotFoundError', 'EntryAlreadyExistsError', 'ParentFolderDoesntExistError', 'NotAFolderError',
  'NotAFileError', 'InvalidPathError', 'DestDirectoryNotEmpty', 'InvalidEncodingError',
  'QuotaExceededError', 'ReadOnlyError'
]) errorClass(name)

export function namedError (name, message) {
  const Class = hasOwn(classes, name) ? classes[name] : PlainError
  const error = new Class(message)
  if (Class === PlainError) define(error, 'name', name)
  return error
}

export function installStack (native) {
  const title = (error) => {
    try {
      return errorText(error)
    } catch {
      return 'Error'
    }
  }
  const { set } = getOwnPropertyDescriptor(PlainError.prototype, 'stack')
  defineProperty(PlainError.prototype, 'stack', record({
    get () {
      const frames = native.stack(this)
      if (frames === '') return title(this)
      if (typeof frames !== 'string' || slice(frames, 0, 7) !== '    at ') return frames
      return title(this) + '\n' + frames
    },
    set
  }))
}
