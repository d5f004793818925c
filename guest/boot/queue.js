// The timers that wait, the next one first: a binary heap, so that thousands cost what each costs
// alone. Its array has no prototype, so that no script sees or steers what is kept in it.

import { record, setPrototypeOf } from './primordials.js'

export function makeQueue () {
  const heap = setPrototypeOf([], null)
  let size = 0
  let turns = 0

  const goesBefore = (one, other) => one.due === other.due ? one.turn < other.turn : one.due < other.due

  function put (timer, at) {
    heap[at] = timer
    timer.at = at
  }

  function moveUp (timer, at) {
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!goesBefore(timer, heap[above])) break
      put(heap[above], at)
      at = above
    }
    put(timer, at)
  }

  function moveDown (timer, at) {
    for (;;) {
      let below = 2 * at + 1
      if (below + 1 < size && goesBefore(heap[below + 1], heap[below])) below++
      if (below >= size || !goesBefore(heap[below], timer)) break
      put(heap[below], at)
      at = below
    }
    put(timer, at)
  }

  return record({
    size: () => size,
    first: () => size === 0 ? null : heap[0],
    waits: (timer) => timer.at >= 0,
    // After those that are due at the same time and came before it.
    add (timer) {
      timer.turn = ++turns
      moveUp(timer, size++)
    },
    remove (timer) {
      const { at } = timer
      const last = heap[--size]
      heap.length = size
      timer.at = -1
      if (last === timer) return
      if (at > 0 && goesBefore(last, heap[(at - 1) >> 1])) moveUp(last, at)
      else moveDown(last, at)
    }
  })
}
