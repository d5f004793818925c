// Errors of the host API: real Errors, of a class for each name that the host uses.

import { PlainError, define, hasOwn, record } from './primordials.js'

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
  'QuotaExceededError'
]) errorClass(name)

export function namedError (name, message) {
  const Class = hasOwn(classes, name) ? classes[name] : PlainError
  const error = new Class(message)
  if (Class === PlainError) define(error, 'name', name)
  return error
}
