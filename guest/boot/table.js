// `console.table` in the manner of Node's: a row for each member, a column for each name that a row
// has. Like all of the console it runs no getter, trap or method of the script.

import { arrayName, getOwnPropertyDescriptor, hasOwn, isArray, min, floor, ownKeys, padEnd, record, repeat, replaceAll, slice, toText } from './primordials.js'

const ROWS_MAX = 1000
const COLUMNS_MAX = 50
const CELL_MAX = 256
const TABLE_MAX = 16384
const VALUES = 'Values'

const isObject = (value) => value !== null && (typeof value === 'object' || typeof value === 'function')

export function makeTable (native, inspect) {
  // Calls each(name, descriptor) for own enumerable members with a string for a name.
  function members (object, most, each) {
    const names = ownKeys(object)
    let shown = 0
    for (let i = 0; i < names.length && shown < most; i++) {
      const own = typeof names[i] === 'string' ? getOwnPropertyDescriptor(object, names[i]) : undefined
      if (own === undefined || !own.enumerable) continue
      shown++
      each(names[i], own)
    }
  }
  const cut = (text) => text.length > CELL_MAX ? slice(text, 0, CELL_MAX) + '...' : text
  const text = (own) => (hasOwn(own, 'value') ? cut(replaceAll(inspect(own.value), '\n', ' ')) : '[Getter]')
  const plain = (value) => isObject(value) && native.kind(value) !== 'Proxy'

  function line (widths, left, middle, right) {
    let out = left
    for (let i = 0; i < widths.length; i++) out += (i === 0 ? '' : middle) + repeat('─', widths[i] + 2)
    return out + right
  }

  function draw (columns, rows) {
    const widths = record({ length: columns.length })
    for (let c = 0; c < columns.length; c++) {
      widths[c] = columns[c].length
      for (let r = 0; r < rows.length; r++) if (hasOwn(rows[r], c) && rows[r][c].length > widths[c]) widths[c] = rows[r][c].length
    }
    let width = 2
    for (let c = 0; c < widths.length; c++) width += widths[c] + 3
    // A console has no use for more, and one wide cell makes every row as wide.
    const most = min(rows.length, floor(TABLE_MAX / width) || 1)
    const row = (cells) => {
      let out = '│'
      for (let c = 0; c < widths.length; c++) out += ' ' + padEnd(hasOwn(cells, c) ? cells[c] : '', widths[c]) + ' │'
      return out
    }
    let out = line(widths, '┌', '┬', '┐') + '\n' + row(columns) + '\n' + line(widths, '├', '┼', '┤') + '\n'
    for (let r = 0; r < most; r++) out += row(rows[r]) + '\n'
    out += line(widths, '└', '┴', '┘')
    return most < rows.length ? out + '\n... ' + (rows.length - most) + ' more rows' : out
  }

  // The table's text, or undefined for what has no rows.
  return function table (data, wanted) {
    if (!plain(data)) return undefined
    const columns = record({ 0: '(index)', length: 1 })
    const places = record({})
    const rows = record({ length: 0 })
    const place = (name) => {
      if (!hasOwn(places, name) && columns.length < COLUMNS_MAX) {
        places[name] = columns.length
        columns[columns.length++] = cut(name)
      }
      return places[name]
    }
    if (isArray(wanted)) {
      for (let i = 0; i < wanted.length; i++) place(toText(wanted[i]))
    }
    let values = false
    members(data, ROWS_MAX, (name, own) => {
      const cells = record({ 0: cut(name) })
      const put = (column, member) => {
        const at = isArray(wanted) && !hasOwn(places, column) ? undefined : place(column)
        if (at !== undefined) cells[at] = text(member)
      }
      if (hasOwn(own, 'value') && plain(own.value) && arrayName(own.value) === undefined) members(own.value, COLUMNS_MAX, put)
      else cells.alone = text(own)
      if (hasOwn(cells, 'alone')) values = true
      rows[rows.length++] = cells
    })
    if (values) {
      const at = columns.length
      columns[columns.length++] = VALUES
      for (let r = 0; r < rows.length; r++) if (hasOwn(rows[r], 'alone')) rows[r][at] = rows[r].alone
    }
    return draw(columns, rows)
  }
}
