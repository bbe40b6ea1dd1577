import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { SourceBusy } from '../../../../src/catalog/connectors/connector.ts'
import { openEmbeddedLog } from '../../../../src/log/embedded.ts'
import { projections } from '../../../../src/projections/index.ts'
import { openSqliteSecrets } from '../../../../src/store/secrets-sqlite.ts'
import { openSqliteStore } from '../../../../src/store/sqlite.ts'
import { mountMemory, whyNoDisks } from '../../../kit/mounts.ts'
import { openSink, rowsOf, runOf, writePage } from '../../../kit/sinks.ts'

describe('a SQLite file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-files-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const at = (name: string) => join(dir, name)
  const destination = (path: string, table = 't') => ({ type: 'database', url: `sqlite://${path}`, table })
  const failure = (opening: Promise<unknown>) =>
    opening.then(
      () => undefined,
      error => error,
    )

  it('is made when it is not there; where there is no folder, or something else, it says so', async () => {
    await runOf(destination(at('a % ? & é.db')), {}, [rowsOf(['{"id":1}'])])
    expect(new DatabaseSync(at('a % ? & é.db')).prepare('select id from t').all()).toMatchObject([{ id: 1 }])
    writeFileSync(at('no.db'), 'this is text and no database, whatever its name says'.repeat(100))
    for (const path of [at('no.db'), at('nowhere/x.db'), dir])
      expect(await failure(openSink(destination(path)))).toMatchObject({
        code: 'VALIDATION_ERROR',
        details: [{ field: 'destination.url' }],
      })
  })

  it('can be read while a page is written, and is durable in its settings', async () => {
    const sink = await openSink(destination(at('wal.db')))
    await writePage(sink, 1, rowsOf(['{"id":1}']))
    const reader = new DatabaseSync(at('wal.db'), { timeout: 0 })
    expect(reader.prepare('pragma journal_mode').get()).toMatchObject({ journal_mode: 'wal' })
    let seen: unknown
    await sink.write({ number: 2, rows: rowsOf(['{"id":2}', '{"":1}']) }, async () => {
      seen = reader.prepare('select count(*) as n from t').get()
    })
    expect(seen).toMatchObject({ n: 1 })
    expect(reader.prepare('select count(*) as n from t').get()).toMatchObject({ n: 2 })
    reader.close()
    await sink.stop()
  })

  it('that somebody else writes to is waited for without holding up the thread, and is busy in the end', async () => {
    const sink = await openSink(destination(at('busy.db')), { answerMs: 300 })
    await writePage(sink, 1, rowsOf(['{"id":1}']))
    const other = new DatabaseSync(at('busy.db'))
    other.exec('begin immediate')
    let turns = 0
    const turning = setInterval(() => turns++, 1)
    expect(await failure(writePage(sink, 2, rowsOf(['{"id":2}'])))).toBeInstanceOf(SourceBusy)
    clearInterval(turning)
    expect(turns).toBeGreaterThan(20)
    const waiting = writePage(sink, 2, rowsOf(['{"id":2}']))
    setTimeout(() => other.exec('rollback'), 50)
    await waiting
    other.close()
    await sink.stop()
  })

  it('of the service itself: its tables are not for users, its log and its secrets not at all', async () => {
    const store = openSqliteStore({ file: at('read.db') })
    await store.declare(projections.flatMap(({ tables }) => [...tables]))
    for (const table of ['records', 'jobs', 'RUNS', 'checkpoints'])
      for (const mode of ['append', 'replace'])
        expect(await failure(openSink({ ...destination(at('read.db'), table), mode }))).toMatchObject({
          code: 'VALIDATION_ERROR',
          details: [{ field: 'destination.table' }],
        })
    await runOf({ ...destination(at('read.db'), 'mine'), key_columns: ['id'] }, {}, [rowsOf(['{"id":1}'])])
    await runOf({ ...destination(at('read.db'), 'mine'), key_columns: ['id'] }, { runId: 'run_2', from: 2 }, [[]])
    await store.stop()
    const log = openEmbeddedLog({ file: at('log.db') })
    const secrets = openSqliteSecrets(at('secrets.db'))
    for (const name of ['log.db', 'secrets.db'])
      expect(await failure(openSink(destination(at(name))))).toMatchObject({ details: [{ field: 'destination.url' }] })
    await Promise.all([log.stop(), secrets.stop()])
  })

  it.skipIf(process.getuid?.() === 0)('that cannot be written to says so', async () => {
    new DatabaseSync(at('ro.db')).exec('create table t(id)')
    chmodSync(at('ro.db'), 0o400)
    expect(await failure(openSink(destination(at('ro.db'))))).toMatchObject({ code: 'VALIDATION_ERROR' })
  })

  it.skipIf(whyNoDisks())('on a full disk is busy, and goes on when there is room', async () => {
    const mount = mountMemory(4 * 1024 * 1024)
    writeFileSync(join(mount.dir, 'filler'), Buffer.alloc(3 * 1024 * 1024))
    const sink = await openSink({ ...destination(join(mount.dir, 'x.db')), key_columns: ['id'] })
    const page = (number: number) =>
      rowsOf(Array.from({ length: 200 }, (_, i) => `{"id":${number * 1000 + i},"v":"${'x'.repeat(1000)}"}`))
    let number = 1
    let error: unknown
    for (; error === undefined && number < 100; number++) error = await failure(writePage(sink, number, page(number)))
    expect(error).toBeInstanceOf(SourceBusy)
    rmSync(join(mount.dir, 'filler'))
    await writePage(sink, --number, page(number))
    await sink.stop()
    const db = new DatabaseSync(join(mount.dir, 'x.db'))
    expect(db.prepare('select count(*) as n, count(distinct id) as ids from t').get()).toMatchObject({
      n: number * 200,
      ids: number * 200,
    })
    db.close()
    mount.unmount()
  })
})
