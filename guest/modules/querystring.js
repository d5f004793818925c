module.exports = { querystring: require('unenv/node/querystring').default }
