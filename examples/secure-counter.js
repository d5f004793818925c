// secure-counter.js: run it with --debug, where callers may name themselves
var ownerId
exports.claimOwnership = () => {
  if (ownerId) throw new Error('I already have an owner!')
  ownerId = System.caller.id
}
var counter = 0
exports.increment = () => {
  if (System.caller.id !== ownerId) throw new Error('You are not my owner!')
  return counter++
}
