// Keeps a program to loopback, where it cannot have a network of its own.
// Usage: node --require loopback_only.js PROGRAM
// Sockets listen on 127.0.0.1, multicast goes over the loopback device, nothing is sent or
// connected elsewhere, and names are not looked up.
const dgram = require('dgram')
const dns = require('dns')
const Module = require('module')
const net = require('net')

const LOOPBACK = '127.0.0.1'
const stays = host => !host || host === 'localhost' || host === '::1' || host.startsWith('127.')
const group = host => host && /^2(2[4-9]|3[0-9])\./.test(host)

const socket = dgram.Socket.prototype
const { addMembership, bind, send } = socket
socket.addMembership = function (address) { return addMembership.call(this, address, LOOPBACK) }
socket.bind = function (...args) {
  this.once('listening', () => this.setMulticastInterface(LOOPBACK))
  return bind.apply(this, args)
}
socket.send = function (...args) {
  const host = args.find((arg, i) => i > 0 && typeof arg === 'string')
  if (stays(host) || group(host)) return send.apply(this, args)
  const done = args[args.length - 1]
  if (typeof done === 'function') process.nextTick(done, null, 0)
}
socket.setMulticastInterface = (original => function () {
  return original.call(this, LOOPBACK)
})(socket.setMulticastInterface)

const { connect } = net.Socket.prototype
net.Socket.prototype.connect = function (...args) {
  const given = Array.isArray(args[0]) ? args[0][0] : args[0]
  const host = given && typeof given === 'object' ? given.host : args[1]
  if (typeof host === 'string' && !stays(host)) {
    process.nextTick(() => this.destroy(new Error(`${host} is not on loopback`)))
    return this
  }
  return connect.apply(this, args)
}

const { listen } = net.Server.prototype
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === 'number' && typeof args[1] !== 'string') args.splice(1, 0, LOOPBACK)
  return listen.apply(this, args)
}

const { lookup } = dns
dns.lookup = function (name, options, done) {
  const answer = done || options
  if (net.isIP(name) || name === 'localhost') return lookup.apply(dns, arguments)
  process.nextTick(answer, Object.assign(new Error(`${name} is not looked up`), { code: 'ENOTFOUND' }))
}

// What a native socket that is bound to loopback sends elsewhere is refused by the system.
let bindNative
function bindUTP (port, host, listening) {
  const last = [port, host, listening].find(arg => typeof arg === 'function')
  return bindNative.call(this, typeof port === 'number' ? port : 0, LOOPBACK, last)
}

const { _load } = Module
Module._load = function (name, ...rest) {
  const loaded = _load.call(Module, name, ...rest)
  if (name === 'utp-native' && loaded.prototype.bind !== bindUTP) {
    bindNative = loaded.prototype.bind
    loaded.prototype.bind = bindUTP
  }
  return loaded
}
