module.exports = { events: require('events') }
