import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { invalid } from '../../kernel/errors.ts'

/** Where users may have files: in `allowed`, which are folders with commas between, and not in `own`, the service's. */
export interface Folders {
  readonly allowed: string
  readonly own: string
}

/**
 * Throws a VALIDATION_ERROR about `field` for a file where users may have none. Links are followed: where a file is counts,
 * not what it is called. A folder that is not there holds nothing.
 */
export function checkFolder(file: string, { allowed, own }: Folders, field: string): void {
  const place = realPath(file)
  const isIn = (name: string) => {
    const folder = realPath(resolve(name.trim()))
    return place.startsWith(folder.endsWith(sep) ? folder : folder + sep)
  }
  if (isIn(own)) throw invalid(field, `${file} is where the service keeps its own files`)
  if (allowed.split(',').some(isIn)) return
  throw invalid(field, `${file} is in no folder where jobs may have files: SQLITE_FOLDERS names them`)
}

/** A path without links, as far as it exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error
    return join(realPath(parent), basename(path))
  }
}
