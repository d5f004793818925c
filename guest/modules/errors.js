// Node's errors: its codes and, as far as they are short, its messages.

function make (Class, code, message, members) {
  const error = new Class(message)
  error.code = code
  return Object.assign(error, members)
}

function described (value) {
  if (value === null || value === undefined) return ' Received ' + value
  if (typeof value === 'function') return ' Received function ' + value.name
  if (typeof value === 'object') {
    const name = value.constructor?.name
    return name ? ' Received an instance of ' + name : ' Received an object'
  }
  const text = typeof value === 'string' ? "'" + (value.length > 28 ? value.slice(0, 25) + '...' : value) + "'" : String(value)
  return ' Received type ' + typeof value + ' (' + text + (typeof value === 'bigint' ? 'n' : '') + ')'
}

const argumentType = (name, wanted, value) => make(
  TypeError, 'ERR_INVALID_ARG_TYPE',
  'The ' + (name.endsWith(' argument') ? name : '"' + name + '" ' + (name.includes('.') ? 'property' : 'argument')) +
    ' must be ' + wanted + '.' + described(value)
)

const outOfRange = (name, range, value) => make(
  RangeError, 'ERR_OUT_OF_RANGE', 'The value of "' + name + '" is out of range. It must be ' + range + '. Received ' + value
)

function requireFunction (value, name) {
  if (typeof value !== 'function') throw argumentType(name, 'of type function', value)
}

module.exports = { argumentType, make, outOfRange, requireFunction }
