import { extname } from 'node:path'
import { csv } from './csv.ts'
import { excel } from './excel.ts'

import type { Format } from './format.ts'
import { json } from './json.ts'
import { parquet } from './parquet.ts'

/** Every format there is, in the order in which their content is looked at: the surest first. */
export const formats: readonly Format[] = [parquet, excel, json, csv]

/** The format of that name. */
export function formatOf(name: string): Format | undefined {
  return formats.find(format => format.name === name)
}

/**
 * The format of a file by what it begins with (HEAD_BYTES, or all of it), else by the ending of its name; undefined when
 * neither says anything.
 */
export function recognise(fileName: string, head: Buffer, among = formats): Format | undefined {
  const extension = extname(fileName).toLowerCase()
  return among.find(format => format.recognises(head)) ?? among.find(each => each.extensions.includes(extension))
}
