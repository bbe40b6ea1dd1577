/** The names of columns, made unique, and what was changed to make them so. */
export interface Columns {
  names: string[]
  notices: string[]
}

/** `column_3` for the third column. */
export function numbered(index: number): string {
  return `column_${index + 1}`
}

/** An empty name becomes `column_` and its number; one that came before gets `_2`, `_3` and so on. */
export function uniqueColumns(given: readonly string[]): Columns {
  const taken = new Set(given)
  const used = new Set<string>()
  const notices: string[] = []
  const names = given.map((name, i) => {
    const wanted = name === '' ? numbered(i) : name
    let free = wanted
    for (let n = 2; used.has(free) || (free !== name && taken.has(free)); n++) free = `${wanted}_${n}`
    used.add(free)
    if (free !== name) notices.push(`column ${i + 1} is called "${free}": its name in the file is "${name}"`)
    return free
  })
  return { names, notices }
}
