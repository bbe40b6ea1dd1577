import { readFileSync } from 'node:fs'
import type { Random } from './random.ts'

type Data = Record<string, unknown>

/** The rows of a public data set from npm's vega-datasets, as JSON texts. */
export function publicRows(file: string, most = Number.POSITIVE_INFINITY): string[] {
  const url = new URL(`../../node_modules/vega-datasets/data/${file}`, import.meta.url)
  const rows = JSON.parse(readFileSync(url, 'utf8')) as Data[]
  return rows.slice(0, most).map(row => JSON.stringify(row))
}

/** What people and programs do to data: each changes one value of a row. */
const FAULTS: readonly ((row: Data, name: string) => void)[] = [
  (row, name) => {
    row[name] = null
  },
  (row, name) => {
    delete row[name]
  },
  (row, name) => {
    row[name] = ''
  },
  (row, name) => {
    row[name] = typeof row[name] === 'number' ? `${row[name]} ?` : 17
  },
  (row, name) => {
    row[name] = typeof row[name] === 'string' ? ` ${row[name]}` : `${row[name]}`
  },
  (row, name) => {
    row[name] = typeof row[name] === 'string' ? String(row[name]).replaceAll('/', '-').toLowerCase() : [row[name]]
  },
]

/** The same rows with `share` of their values spoilt and, of the rows, half as many replaced by copies of others. */
export function withNoise(rows: readonly string[], share: number, random: Random): string[] {
  const out: string[] = []
  for (const text of rows) {
    if (out.length > 0 && random.chance(share / 2)) {
      out.push(random.pick(out))
      continue
    }
    const row = JSON.parse(text) as Data
    for (const name of Object.keys(row)) if (random.chance(share)) random.pick(FAULTS)(row, name)
    out.push(JSON.stringify(row))
  }
  return out
}
