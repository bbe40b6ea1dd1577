import { extname } from 'node:path'
import { csv } from './csv.ts'

import type { Format } from './format.ts'
import { json } from './json.ts'
import { parquet } from './parquet.ts'

/** Every format there is, in the order in which their content is looked at: the surest first. */
export const formats: readonly Format[] = [parquet, json, csv]

/** The format of that name. */
export function formatOf(name: string): Format | undefined {
  return formats.find(format => format.name === name)
}

/**
 * The format of a file by what it begins with (HEAD_BYTES, or all of it), else by the ending of its name; undefined when
 * neither says anything.
 */
export function recognise(fileName: string, head: Buffer): Format | undefined {
  const extension = extname(fileName).toLowerCase()
  return formats.find(format => format.recognises(head)) ?? formats.find(each => each.extensions.includes(extension))
}
