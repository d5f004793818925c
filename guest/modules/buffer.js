// `buffer`: the package that the globals come from, and what Node's module has beside it.

const { bytesOf } = require('./bytes.js')

const wanted = 'an instance of Buffer, TypedArray, or ArrayBuffer'
const isAscii = (input) => bytesOf(input, 'input', wanted).every((byte) => byte < 0x80)

function isUtf8 (input) {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(input, 'input', wanted))
    return true
  } catch (error) {
    if (error.code === 'ERR_INVALID_ARG_TYPE') throw error
    return false
  }
}

const buffer = {
  ...nodevms.package,
  constants: { MAX_LENGTH: nodevms.package.kMaxLength, MAX_STRING_LENGTH: 2 ** 30 - 1 },
  kStringMaxLength: 2 ** 30 - 1,
  atob,
  btoa,
  isAscii,
  isUtf8
}
module.exports = { buffer }
