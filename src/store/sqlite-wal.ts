import { openSync, readSync } from 'node:fs'
import { setPriority } from 'node:os'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { pause } from '../kernel/pause.ts'

/*
 * SQLite writes a commit to a log beside the file (`-wal`), and from time to time the pages in it back into the file: its
 * checkpoint, which whoever commits does, and waits for, unless somebody else has done it before. Here a thread of its own
 * does: https://www.sqlite.org/wal.html
 */

/** Pages, of 4 KB, in the log from which on they are written back. */
export const WRITTEN_BACK_PAGES = 8000
/** Pages of a log from which on whoever commits helps, or waits: it begins anew once all of it has been written back. */
export const MOST_WAL_PAGES = 4 * WRITTEN_BACK_PAGES

const LOOK_MS = 50
/** While more is committed each pass has less to do than the one before; the log begins anew when one leaves nothing. */
const MOST_PASSES = 6
const WAIT_MS = 10
/** A reader of an earlier state keeps what came after it in the log: it is not waited for longer than this. */
const MOST_WAITS = 100
/** Everything else comes first: what is not written back yet is safe, and in the log. */
const NICENESS = 19
const HEAP_MB = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 }

export interface WritingBack {
  /** Resolves when there is room for another commit. */
  room(): Promise<void>
  stop(): Promise<void>
}

/** Writes the log of a file back in a thread of its own, until it is stopped. The file is in WAL mode, and stays there. */
export function writeBackInThread(file: string): WritingBack {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { wal: file },
    resourceLimits: HEAP_MB,
    trackUnmanagedFds: false,
    name: 'wal',
  })
  const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()))
  const index = openIndex(file)
  return {
    async room() {
      for (let n = 0; n < MOST_WAITS && index.look().tooLong; n++) await pause(WAIT_MS)
    },
    async stop() {
      worker.postMessage('stop')
      await ended
    },
  }
}

/** The thread's own part. */
function writeBack(file: string): void {
  setPriority(NICENESS)
  const db = new DatabaseSync(file)
  db.exec('pragma wal_autocheckpoint = 0; pragma synchronous = normal; pragma cache_size = -256')
  const pass = db.prepare('pragma wal_checkpoint(passive)')
  const index = openIndex(file)

  function look(): void {
    const { pending, tooLong } = index.look()
    if (pending < WRITTEN_BACK_PAGES && !tooLong) return
    try {
      for (let n = 0; n < MOST_PASSES && index.look().pending > 0; n++) pass.get()
    } catch (error) {
      // As SQLite passes over it for who commits: the log has everything, and a full disk tells of itself there.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') throw error
    }
  }

  const looking = setInterval(look, LOOK_MS)
  parentPort!.once('message', () => {
    clearInterval(looking)
    db.close()
  })
}

/**
 * Looks into the index of a log (`-shm`), which stays open until the process ends: to close a file lets go of all locks that
 * the process has on it, SQLite's among them (https://www.sqlite.org/howtocorrupt.html, 2.2). At 16 stands how many pages there are,
 * at 96 how many of them have been written back: https://www.sqlite.org/walformat.html#the_wal_index_file_format
 */
function openIndex(file: string) {
  const index = openSync(`${file}-shm`, 'r')
  const words = new Uint32Array(25)
  return {
    look() {
      readSync(index, words, 0, words.byteLength, 0)
      const [pages, back] = [words[16 / 4]!, words[96 / 4]!]
      return { pending: pages - back, tooLong: pages > MOST_WAL_PAGES && back < pages }
    },
  }
}

if (parentPort && workerData?.wal) writeBack(workerData.wal)
