// In place of call-bind/callBound, for the one kind of name that `assert` gives: 'Class.prototype.method'.

module.exports = function callBound (name) {
  const [Class, , method] = name.split('.')
  return Function.prototype.call.bind(globalThis[Class].prototype[method])
}
