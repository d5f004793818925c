const EventEmitter = require('events')
const { once } = EventEmitter

// Errors of the package have no code.
function named (f) {
  try {
    f()
  } catch (error) {
    return error.name
  }
}

exports.run = () => [
  () => EventEmitter === EventEmitter.EventEmitter,
  () => {
    const e = new EventEmitter()
    const seen = []
    e.on('x', (...args) => seen.push(['on', ...args]))
    e.prependListener('x', () => seen.push('first'))
    e.once('x', function () { seen.push(this === e) })
    return [e.emit('x', 1, 2), e.emit('x'), e.emit('y'), seen, e.listenerCount('x'), e.eventNames()]
  },
  () => new EventEmitter().emit('error', new RangeError('a')),
  () => named(() => new EventEmitter().emit('error', 'text')),
  () => named(() => new EventEmitter().on('x', 5)),
  () => {
    class Own extends EventEmitter {}
    const e = new Own()
    const f = () => {}
    e.on('newListener', (name) => e.emit('seen', name))
    const seen = []
    e.on('seen', name => seen.push(name))
    e.on('a', f).off('a', f)
    e.removeAllListeners()
    return [seen, e.listeners('a'), e.rawListeners('b'), e.eventNames(), e instanceof EventEmitter]
  },
  () => {
    const e = new EventEmitter().setMaxListeners(1)
    return [e.getMaxListeners(), EventEmitter.defaultMaxListeners]
  },
  async () => {
    const e = new EventEmitter()
    setTimeout(() => e.emit('ready', 1, 2), 1)
    return once(e, 'ready')
  },
  async () => {
    const e = new EventEmitter()
    setTimeout(() => e.emit('error', new TypeError('no')), 1)
    return once(e, 'ready')
  },
  () => {
    function Old () { EventEmitter.call(this) }
    require('util').inherits(Old, EventEmitter)
    const seen = []
    new Old().on('a', x => seen.push(x)).emit('a', 5)
    return seen
  }
]
