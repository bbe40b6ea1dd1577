import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { invalid } from '../../kernel/errors.ts'

/**
 * Throws a VALIDATION_ERROR about `field` for a file that is in none of the folders, which have commas between. Links are
 * followed: where a file is counts, not what it is called. A folder that is not there holds nothing.
 */
export function checkFolder(file: string, folders: string, field: string): void {
  const place = realPath(file)
  const allowed = folders.split(',').map(folder => realPath(resolve(folder.trim())))
  if (allowed.some(folder => place.startsWith(folder.endsWith(sep) ? folder : folder + sep))) return
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
