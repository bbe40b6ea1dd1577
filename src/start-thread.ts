import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { isEmbedded, readTopics } from './adapters.ts'
import { DomainError } from './kernel/errors.ts'
import { type News, READY, STOP, type ThreadData, type ThreadRole } from './thread.ts'

type Heaps = Record<ThreadRole, { maxYoungGenerationSizeMb: number; maxOldGenerationSizeMb: number }>

/** Heaps in MB. A limit makes V8 collect before a thread has grown large, not only keeps it from growing without end. */
const EMBEDDED_HEAPS: Heaps = {
  log: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 },
  projector: { maxYoungGenerationSizeMb: 48, maxOldGenerationSizeMb: 256 },
  reader: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 },
  runner: { maxYoungGenerationSizeMb: 24, maxOldGenerationSizeMb: 256 },
}

/** Reading Kafka makes several objects a record: with a small young generation half the time goes into collecting. */
const KAFKA_HEAPS: Heaps = {
  ...EMBEDDED_HEAPS,
  // With less room for the old V8 marks every second time that it collects the young: 4 us a record.
  projector: { maxYoungGenerationSizeMb: 192, maxOldGenerationSizeMb: 2048 },
}

/** As this file is, built or not. */
const THREAD = new URL(`thread${extname(import.meta.url)}`, import.meta.url)

/** Starts a thread; resolves with what stops it once the thread says that it works. */
export function startThread(
  data: ThreadData,
  onNews: (news: News) => void,
  onFailure: (role: ThreadRole, error: Error) => void,
): Promise<() => Promise<void>> {
  // Read here, the thread has them.
  readTopics()
  const worker = new Worker(THREAD, {
    workerData: data,
    transferList: data.keeping ? [...data.ports, data.keeping] : data.ports,
    name: data.role,
    // Closing the index of SQLite's log would let go of its locks (store/sqlite-wal.ts).
    trackUnmanagedFds: false,
    resourceLimits: (isEmbedded(data.config) ? EMBEDDED_HEAPS : KAFKA_HEAPS)[data.role],
  })
  let [ready, stopping] = [false, false]
  const ended = new Promise<void>(resolve => worker.once('exit', () => resolve()))
  return new Promise((resolve, reject) => {
    worker.on('error', error => {
      // One that cannot start is told to whoever starts it.
      if (!ready) reject(asThrown(error as Error))
      else if (!stopping) onFailure(data.role, error as Error)
    })
    worker.on('message', message => {
      if (message !== READY) return onNews(message)
      ready = true
      resolve(() => {
        stopping = true
        worker.postMessage(STOP)
        return ended
      })
    })
  })
}

/** An error that crossed threads is of no class any more. */
function asThrown(error: Error): Error {
  return error.name === 'DomainError' ? new DomainError((error as DomainError).code, error.message) : error
}
