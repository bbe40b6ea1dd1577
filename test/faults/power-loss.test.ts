import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { NUMBERS, numbered } from '../kit/append-for-ever.ts'
import { readTopic, SPEC, text } from '../kit/events.ts'
import { available, between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, readModelOf, untilQuiet } from '../kit/life.ts'
import { startLoad } from '../kit/load.ts'
import { type Disk, makeDisk, whyNoDisks } from '../kit/mounts.ts'
import { type Running, run, until } from '../kit/processes.ts'
import type { Random } from '../kit/random.ts'
import { type Service, startService } from '../kit/service.ts'

const WRITER = fileURLToPath(new URL('../kit/append-for-ever.ts', import.meta.url))
const CUTS = LONG ? 25 : 3
const DISK_MB = 2048

/** Stops a process where it stands, every thread of it out of the kernel, so that nothing writes while a disk is copied. */
async function freeze({ child }: Running): Promise<void> {
  child.kill('SIGSTOP')
  const threads = `/proc/${child.pid}/task`
  const stopped = (thread: string) =>
    / T /.test(readFileSync(join(threads, thread, 'stat'), 'utf8').replace(/^.*\)/, ''))
  await until('all threads to stop', () => readdirSync(threads).every(stopped))
}

/** Cuts the power under a process: gives back the disk as it was at that moment. */
async function cutPower(writer: Running, disk: Disk): Promise<Disk> {
  await freeze(writer)
  const left = disk.cut()
  await writer.end('SIGKILL')
  return left
}

/** Lets the writer append for a random time, cuts the power, and gives back what it had promised until then. */
async function appendAndCut(disk: Disk, synchronous: 'FULL' | 'OFF', random: Random) {
  const { dir, unmount } = disk.mount()
  const args = ['--disable-warning=ExperimentalWarning', WRITER, join(dir, 'log.db'), synchronous]
  const writer = run(process.execPath, args)
  try {
    const promised = () => Number(/(\d+)\n$/.exec(writer.output())?.[1] ?? 0)
    await until('the writer to be promised something', () => promised() > 0)
    await lasting(between(random, 0, 1500))
    const left = await cutPower(writer, disk)
    return { left, promised: promised() }
  } finally {
    await writer.end('SIGKILL')
    unmount()
    disk.remove()
  }
}

/** Mounts what a power cut left and reads the log in it. */
async function survivors(disk: Disk): Promise<{ values: string[]; integrity: unknown }> {
  const { dir, unmount } = disk.mount()
  try {
    const file = join(dir, 'log.db')
    const log = openEmbeddedLog({ file })
    await log.declare([{ ...SPEC, name: NUMBERS }], {})
    const values = (await readTopic(log, NUMBERS)).map(text)
    await log.stop()
    const db = new DatabaseSync(file)
    const integrity = db.prepare('pragma integrity_check').get()
    db.close()
    return { values, integrity }
  } finally {
    unmount()
  }
}

/** The law: all that was promised is there, in order, nothing twice, and the file is whole. */
async function expectAll(disk: Disk, promised: number): Promise<void> {
  const { values, integrity } = await survivors(disk)
  expect(integrity).toEqual({ integrity_check: 'ok' })
  expect(values.length).toBeGreaterThanOrEqual(promised)
  expect(values.findIndex((value, n) => value !== numbered(n))).toBe(-1)
}

const possible = available('the power-loss tests', whyNoDisks())

describe.skipIf(!possible)('a power cut', () => {
  it('is one: what was fsynced is on the disk, what was only written is not', () => {
    const disk = makeDisk(32)
    const { dir, unmount } = disk.mount()
    try {
      const [synced, written] = [randomBytes(5000), randomBytes(5000)]
      const write = (name: string, bytes: Buffer, sync: boolean) => {
        const file = openSync(join(dir, name), 'w')
        writeSync(file, bytes)
        if (sync) fsyncSync(file)
        closeSync(file)
      }
      write('written', written, false)
      write('synced', synced, true)
      expect(disk.holds(synced.subarray(0, 4096))).toBe(true)
      expect(disk.holds(written.subarray(0, 4096))).toBe(false)
    } finally {
      unmount()
      disk.remove()
    }
  })

  it(`loses nothing that the log has promised, ${CUTS} times over`, async () => {
    const random = randomFor('power loss')
    let disk = makeDisk(DISK_MB)
    const lives: number[] = []
    try {
      for (let cut = 0; cut < CUTS; cut++) {
        // In the long form a disk lives through some cuts before a fresh one follows, or it would be full.
        if (cut % 5 === 4) {
          disk.remove()
          disk = makeDisk(DISK_MB)
        }
        const { left, promised } = await appendAndCut(disk, 'FULL', random)
        disk = left
        lives.push(promised)
        await expectAll(disk, promised)
      }
      console.log(`power loss: events promised before each cut: ${lives}`)
    } finally {
      disk.remove()
    }
  }, 300_000)

  it('takes promised events from a log that does not sync: the test above can fail', async () => {
    const random = randomFor('power loss without sync')
    let disk = makeDisk(DISK_MB)
    try {
      const { left, promised } = await appendAndCut(disk, 'FULL', random)
      disk = left
      await expectAll(disk, promised)
      const second = await appendAndCut(disk, 'OFF', random)
      disk = second.left
      // Not any error: events must be missing, or the file be torn.
      const lost = /to be greater than or equal to|integrity_check|malformed/
      await expect(expectAll(disk, second.promised)).rejects.toThrow(lost)
    } finally {
      disk.remove()
    }
  }, 120_000)

  it(`under the whole service, ${LONG ? 10 : 1} times: what was acknowledged is there once, and everything follows`, async () => {
    const random = randomFor('power loss of a service')
    const ledger = createLedger(random)
    let disk = makeDisk(DISK_MB)
    let mount = disk.mount()
    let service: Service | undefined
    const dataDir = () => join(mount.dir, 'data')
    const start = async () => {
      mkdirSync(dataDir(), { recursive: true })
      return startService({}, { dataDir: dataDir() })
    }
    try {
      for (let cut = 0; cut < (LONG ? 10 : 1); cut++) {
        service = await start()
        const load = startLoad(service, ledger, random)
        const before = ledger.acknowledged.size
        await until('the load to be answered', () => ledger.acknowledged.size > before + 200)
        await lasting(between(random, 0, 1500))
        const left = await cutPower(service.process, disk)
        await load.stop()
        mount.unmount()
        disk.remove()
        disk = left
        mount = disk.mount()
      }
      service = await start()
      const log = await openLogOf(service)
      await untilQuiet(service, log)
      await service.stop()
      const { faults, changes } = await auditLife({ log, readModel: readModelOf({ dataDir: dataDir() }), ledger })
      await log.stop()
      console.log(`power loss: ${ledger.acknowledged.size} acknowledged, ${changes.once.size} changes`)
      expect(faults).toEqual([])
    } finally {
      await service?.stop('SIGKILL')
      mount.unmount()
      disk.remove()
    }
  }, 300_000)
})
