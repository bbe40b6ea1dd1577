import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { call, type Item, pushBatch } from '../kit/api.ts'
import { removeData, startService, untilProjected } from '../kit/service.ts'

/** Copies or removes the files of one database. */
function eachFile(dir: string, name: string, work: (file: string) => void): void {
  for (const file of readdirSync(dir)) if (file.startsWith(name)) work(file)
}

it('a service whose log is an older copy does not start with rows of the later one, and makes them anew', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'sync-older-'))
  const first = await startService()
  const { dataDir } = first
  const push = async (service: typeof first, n: number) => {
    const { body } = await pushBatch(service, 'd', [{ id: 'r', data: { n } }])
    await untilProjected(service, body.position)
  }
  try {
    await push(first, 1)
    await first.stop()
    eachFile(dataDir, 'log.db', file => cpSync(join(dataDir, file), join(copy, file)))
    const later = await startService({}, { dataDir })
    for (let n = 2; n < 20; n++) await push(later, n)
    await later.stop()
    eachFile(dataDir, 'log.db', file => rmSync(join(dataDir, file)))
    eachFile(copy, 'log.db', file => cpSync(join(copy, file), join(dataDir, file)))
    // Started, it would take pushes in at places that are in the rows already, and never show them.
    await expect(startService({}, { dataDir })).rejects.toThrow(
      /superinsight-sync: the rows of records are from a later state of the log: they include sync\.records-0 up to/,
    )
    eachFile(dataDir, 'read.db', file => rmSync(join(dataDir, file)))
    const anew = await startService({}, { dataDir })
    try {
      expect((await call<Item>(anew, '/datasets/d/records/r')).body).toMatchObject({ data: { n: 1 }, version: 1 })
      await push(anew, 7)
      expect((await call<Item>(anew, '/datasets/d/records/r')).body).toMatchObject({ data: { n: 7 }, version: 2 })
    } finally {
      await anew.stop()
    }
  } finally {
    removeData(first)
    rmSync(copy, { recursive: true })
  }
})
