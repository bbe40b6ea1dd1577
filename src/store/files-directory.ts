import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DomainError } from '../kernel/errors.ts'
import type { FileStore } from './files.ts'

const PART = '.part'
const FULL = new DomainError('UNAVAILABLE', 'the disk for uploaded files is full', { retryAfter: 60 })

function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** Files in a directory of this process's own. Ids are ours, so they are names; what a client calls its file is not. */
export function openFileDirectory(directory: string): FileStore {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // What an earlier life was still taking in when it ended.
  for (const name of readdirSync(directory)) if (name.endsWith(PART)) rmSync(join(directory, name))
  return {
    async write(id, pieces) {
      const part = join(directory, id + PART)
      try {
        const file = await open(part, 'wx', 0o600)
        try {
          for await (const piece of pieces) await file.writeFile(piece)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(part, join(directory, id))
        const folder = await open(directory)
        await folder.sync()
        await folder.close()
      } catch (error) {
        await rm(part, { force: true })
        throw isFull(error) ? FULL : error
      }
    },
    async open(id) {
      const path = join(directory, id)
      if (!existsSync(path)) throw new DomainError('NOT_FOUND', `there is no file ${id} any more`)
      return { path, close: async () => undefined }
    },
    async removeBefore(id) {
      for (const name of await readdir(directory)) if (name < id) await rm(join(directory, name), { force: true })
    },
    remove: id => rm(join(directory, id), { force: true }),
    stop: async () => undefined,
  }
}
