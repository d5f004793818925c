// The timers that wait, the next one first: a binary heap, so that thousands cost what each costs
// alone. Its array has no prototype, so that no script sees or steers what is kept in it. Calls come
// before changes and never between two: a script may have left no stack for one.

import { record, setPrototypeOf } from './primordials.js'

export function makeQueue () {
  const heap = setPrototypeOf([], null)
  let size = 0
  let turns = 0

  // Puts a timer at a place or above it: those that go after it come down.
  function rise (timer, at) {
    const { due, turn } = timer
    while (at > 0) {
      const place = (at - 1) >> 1
      const above = heap[place]
      if (above.due < due || (above.due === due && above.turn < turn)) break
      heap[at] = above
      above.at = at
      at = place
    }
    heap[at] = timer
    timer.at = at
  }

  // Puts a timer at a place or below it, among the first `count`: those that go before it come up.
  function sink (timer, at, count) {
    const { due, turn } = timer
    for (let place = 2 * at + 1; place < count; place = 2 * at + 1) {
      let below = heap[place]
      const other = place + 1 < count ? heap[place + 1] : below
      if (other.due < below.due || (other.due === below.due && other.turn < below.turn)) {
        below = other
        place++
      }
      if (due < below.due || (due === below.due && turn < below.turn)) break
      heap[at] = below
      below.at = at
      at = place
    }
    heap[at] = timer
    timer.at = at
  }

  return record({
    size: () => size,
    first: () => size === 0 ? null : heap[0],
    waits: (timer) => timer.at >= 0,
    // After those that are due at the same time and came before it.
    add (timer) {
      timer.turn = turns + 1
      rise(timer, size)
      turns++
      size++
    },
    remove (timer) {
      const { at } = timer
      const last = heap[size - 1]
      if (last !== timer) {
        const above = at > 0 ? heap[(at - 1) >> 1] : null
        if (above !== null && (last.due < above.due || (last.due === above.due && last.turn < above.turn))) rise(last, at)
        else sink(last, at, size - 1)
      }
      heap.length = --size
      timer.at = -1
    }
  })
}
