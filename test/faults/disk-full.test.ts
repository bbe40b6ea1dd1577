import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, vi } from 'vitest'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { events, readTopic, SPEC, text } from '../kit/events.ts'
import { available, LONG, lasting, randomFor } from '../kit/faults.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, readModelOf, untilQuiet } from '../kit/life.ts'
import { startLoad } from '../kit/load.ts'
import { type Mount, makeDisk, mountMemory, whyNoDisks } from '../kit/mounts.ts'
import { until } from '../kit/processes.ts'
import { type Service, startService } from '../kit/service.ts'
import { createSubscriber } from '../kit/subscriber.ts'

const MB = 1024 * 1024
const SIZE_MB = 200
/** What is left for the service before the ballast goes: less than its logs grow to before they are tidied up. */
const ROOM_MB = LONG ? 20 : 8
const FULL_MS = LONG ? 15_000 : 1000

const disks: { name: string; open(): Mount }[] = [
  { name: 'memory', open: () => mountMemory(SIZE_MB * MB) },
  {
    name: 'ext4',
    open() {
      const disk = makeDisk(SIZE_MB)
      const { dir, unmount } = disk.mount()
      return {
        dir,
        unmount() {
          unmount()
          disk.remove()
        },
      }
    },
  },
]

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize
}

function integrity(file: string): unknown {
  const db = new DatabaseSync(file)
  try {
    return db.prepare('pragma integrity_check').get()
  } finally {
    db.close()
  }
}

it('retention that cannot write leaves the log working, and is made up for', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-retention-'))
  const file = join(dir, 'log.db')
  const log = openEmbeddedLog({ file })
  const other = new DatabaseSync(file)
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    await log.declare([{ ...SPEC, name: 'short', retention_ms: 1000 }], {})
    const append = async (value: string) => {
      await log.append([events('short', ['key', value])])
      vi.setSystemTime(Date.now() + 61_000)
    }
    await append('1')
    other.exec("create trigger full before delete on batches begin select raise(abort, 'no room'); end")
    await append('2')
    await append('3')
    expect((await readTopic(log, 'short')).map(text)).toEqual(['1', '2', '3'])
    other.exec('drop trigger full')
    await append('4')
    expect((await readTopic(log, 'short')).map(text)).toEqual(['4'])
  } finally {
    vi.useRealTimers()
    other.close()
    await log.stop()
    rmSync(dir, { recursive: true })
  }
})

const possible = available('the disk-full tests', whyNoDisks())

describe.skipIf(!possible)('a full disk', () => {
  it.each(disks)(
    'of $name: pushes are refused, nothing is lost, and room is all it takes to go on',
    async ({ open }) => {
      const random = randomFor('full disk')
      const ledger = createLedger(random)
      const subscriber = createSubscriber()
      const mount = open()
      const [dataDir, ballast] = [join(mount.dir, 'data'), join(mount.dir, 'ballast')]
      let service: Service | undefined
      try {
        service = await startService({}, { dataDir })
        writeFileSync(ballast, Buffer.alloc(freeBytes(mount.dir) - ROOM_MB * MB))
        await subscriber.connect(service)
        const load = startLoad(service, ledger, random, { records: 200, restMs: 1 })
        const refused = (kind: string) => load.refusals.some(refusal => refusal.kind === kind)
        await until('batches and streams to be refused', () => refused('batch') && refused('stream'), 60_000)
        await lasting(FULL_MS)
        expect((await service.get('/datasets')).status, 'reading needs no room').toBe(200)
        expect((await service.get('/health/live')).status).toBe(200)

        rmSync(ballast)
        const before = ledger.acknowledged.size
        await until('pushes to be taken again', () => ledger.acknowledged.size > before + 500)
        await load.stop()
        const request_id = expect.any(String)
        for (const { kind, status, retryAfter, body } of load.refusals) {
          expect(body.error).toEqual({ code: 'UNAVAILABLE', message: expect.any(String), details: [], request_id })
          if (kind === 'stream') continue
          expect(status).toBe(503)
          expect(Number(retryAfter)).toBeGreaterThanOrEqual(1)
        }

        const log = await openLogOf(service)
        await untilQuiet(service, log, [subscriber])
        expect(service.process.child.exitCode, 'the same process all along').toBeNull()
        await service.stop()
        const { faults, changes } = await auditLife({
          log,
          readModel: readModelOf({ dataDir }),
          ledger,
          subscribers: [subscriber],
        })
        await log.stop()
        console.log(
          `full disk: ${ledger.pushes.length} pushes, ${ledger.acknowledged.size} acknowledged, ` +
            `${load.refusals.length} refusals, ${changes.once.size} changes`,
        )
        expect(faults).toEqual([])
        for (const file of ['log.db', 'read.db'])
          expect(integrity(join(dataDir, file))).toEqual({ integrity_check: 'ok' })
      } finally {
        await subscriber.disconnect()
        await service?.stop('SIGKILL')
        mount.unmount()
      }
    },
    180_000,
  )
})
