module.exports = { string_decoder: require('string_decoder') }
