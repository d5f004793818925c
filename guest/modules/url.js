// Node's older interface by the package `url`, and what Node's module has beside it.

const url = require('url')
const punycode = require('punycode')

const { format } = url

function formatURL (value, options = {}) {
  const { auth = true, fragment = true, search = true, unicode = false } = options
  let text = value.protocol
  if (value.host !== '') {
    text += '//'
    if (auth && (value.username !== '' || value.password !== '')) {
      text += value.username + (value.password === '' ? '' : ':' + value.password) + '@'
    }
    text += unicode ? punycode.toUnicode(value.host) : value.host
  }
  return text + value.pathname + (search ? value.search : '') + (fragment ? value.hash : '')
}

function hostOf (domain) {
  try {
    return new URL('ws://' + domain).hostname
  } catch {
    return ''
  }
}

Object.assign(url, {
  URL,
  URLSearchParams,
  format: (value, options) => value instanceof URL ? formatURL(value, options) : format(value),
  domainToASCII: (domain) => hostOf(domain),
  domainToUnicode: (domain) => punycode.toUnicode(hostOf(domain))
})
module.exports = { url }
