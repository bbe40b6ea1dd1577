import { cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { pushBatch, pushLines } from '../kit/api.ts'
import { runCli } from '../kit/cli.ts'
import { createDatabase, runSql } from '../kit/postgres.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const RECORDS = 3000
const DEAD = { url: 'http://127.0.0.1:1/v1/sync' }

async function fill(service: Service): Promise<void> {
  const lines = Array.from({ length: RECORDS }, (_, n) => JSON.stringify({ id: `k${n}`, data: { n } })).join('\n')
  await pushLines(service, 'dataset=d', lines)
  await pushBatch(service, 'd', [
    { id: 'ä 😀', data: { n: 1 } },
    { id: '\uffee', data: {} },
    { id: 7, data: 'bad' },
  ])
  await service.post('/api-keys', { name: 'k', permissions: ['sync:read'] })
  const { body } = await pushBatch(service, 'd', [{ id: 'k1', data: { n: 'again' } }])
  await untilProjected(service, body.position)
}

describe('superinsight-sync verify', () => {
  let service: Service
  const dirs: string[] = []
  beforeAll(async () => {
    service = await startService()
    await fill(service)
  })
  afterAll(async () => {
    await service?.stop()
    removeData(service)
    for (const dir of dirs) rmSync(dir, { recursive: true })
  })

  /** A copy of DATA_DIR whose service is stopped, with something done to one of its files. */
  function damaged(file: 'log.db' | 'read.db', damage: (db: DatabaseSync) => void) {
    const dir = mkdtempSync(join(tmpdir(), 'sync-damaged-'))
    dirs.push(dir)
    cpSync(service.dataDir, dir, { recursive: true })
    const db = new DatabaseSync(join(dir, file))
    damage(db)
    db.close()
    return runCli({ ...DEAD, dataDir: dir }, ['verify'])
  }

  it('finds that all is well while the service runs, and when it is stopped', async () => {
    const running = await runCli(service, ['verify'])
    expect([running.code, running.stderr]).toEqual([0, ''])
    expect(running.stdout).toMatch(/ok {7}records: 3,0\d\d rows compared\n/)
    expect(running.stdout).toMatch(/\n[\d,]+ events read, [\d,]+ rows compared: all is well\n$/)
    await service.stop()
    const stopped = await runCli({ ...DEAD, dataDir: service.dataDir }, ['verify'])
    expect(stopped).toMatchObject({ code: 0, stdout: running.stdout })
  })

  it('finds a byte of the log that is not as it was written, and its place', async () => {
    let place = ''
    const { code, stdout, stderr } = await damaged('log.db', db => {
      const records = "topic = (select number from topics where name = 'sync.records')"
      const row = db.prepare(`select first, last, bytes from batches where ${records} order by last limit 1`).get()!
      const bytes = row.bytes as Uint8Array<ArrayBuffer>
      bytes[bytes.length - 3]! ^= 1
      db.prepare('update batches set bytes = ? where last = ?').run(bytes, row.last as number)
      place = `offsets ${row.first} to ${row.last}`
    })
    expect(code).toBe(1)
    expect(stdout).toContain(`DAMAGED  sync.records, ${place}: the checksum is`)
    expect(stdout).toMatch(/: 1 damaged\n$/)
    expect(stderr).toContain('not compared: the rows of records: events of sync.records are damaged')
  })

  it('names the file that cannot be read', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sync-damaged-'))
    dirs.push(dir)
    cpSync(service.dataDir, dir, { recursive: true })
    writeFileSync(join(dir, 'read.db'), 'this is no database at all, however long it is read')
    const { code, stderr } = await runCli({ ...DEAD, dataDir: dir }, ['verify'])
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/DAMAGED {2}\S+read\.db cannot be read: file is not a database/),
    ])
    expect(stderr).not.toContain('    at ')
  })

  it('finds that the log is an older one than the rows were made from, and that it is empty', async () => {
    const { code, stdout } = await damaged('log.db', db => {
      db.exec('delete from batches where last > (select min(last) from batches) + 2000')
    })
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /DAMAGED {2}the rows of records: they include sync\.\w+-0 up to offset \d+, and the log ends at \d+\n/,
    )
    const dir = dirs.at(-1)!
    for (const rest of ['-wal', '-shm']) rmSync(join(dir, `log.db${rest}`), { force: true })
    writeFileSync(join(dir, 'log.db'), '')
    const empty = await runCli({ ...DEAD, dataDir: dir }, ['verify'])
    expect([empty.code, empty.stderr]).toEqual([1, expect.stringMatching(/DAMAGED {2}\S+log\.db is empty\n$/)])
    expect(statSync(join(dir, 'log.db')).size).toBe(0)
  })

  it('finds a batch that is not of the length it was', async () => {
    const { code, stdout } = await damaged('log.db', db => {
      db.exec(
        "update batches set first = first - 1 where topic = (select number from topics where name = 'sync.rejected')",
      )
    })
    expect(code).toBe(1)
    expect(stdout).toMatch(/DAMAGED {2}sync\.rejected, offsets \d+ to \d+: the batch before it ends at \d+/)
  })

  it('finds every row that is not what follows from the events', async () => {
    const { code, stdout } = await damaged('read.db', db => {
      db.exec(`update records set data = '{}', version = 9 where id = 'k5';
        update records set basis = 'x' where id = 'ä 😀'; delete from records where id = 'k6';
        insert into datasets values ('made up', 'ds_1', null); delete from rejections`)
    })
    expect(code).toBe(1)
    expect(
      stdout
        .split('\n')
        .filter(line => line.startsWith('DAMAGED'))
        .sort(),
    ).toEqual([
      'DAMAGED  table datasets, key ["made up"]: follows from no event',
      'DAMAGED  table records, key ["d","k5"]: data, version are not what follows from the events',
      'DAMAGED  table records, key ["d","k6"]: is missing',
      'DAMAGED  table records, key ["d","ä 😀"]: basis is not what follows from the events',
      expect.stringMatching(/^DAMAGED {2}table rejections, key \["rej_\w+"\]: is missing$/),
    ])
    expect(stdout).toMatch(/: 5 damaged\n$/)
  })

  it('names so many rows of a table, and counts the others', async () => {
    const { code, stdout } = await damaged('read.db', db => db.exec('update records set version = 5'))
    expect(code).toBe(1)
    expect(stdout.match(/DAMAGED/g)).toHaveLength(21)
    expect(stdout).toContain(`DAMAGED  table records: ${RECORDS + 2 - 20} more rows\n`)
  })

  it('says what it has not compared: rows of another version, and what is not there', async () => {
    const { code, stderr } = await damaged('read.db', db =>
      db.exec("update generations set version = 99 where projection = 'jobs'"),
    )
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /not compared: the rows of jobs: they are of version 99, and this is version \d+ of it; rebuild it/,
    )
    const dir = mkdtempSync(join(tmpdir(), 'sync-empty-'))
    dirs.push(dir)
    const nothing = await runCli({ ...DEAD, dataDir: dir }, ['verify'])
    expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no log.db to look at') })
  })

  it.skipIf(!inject('postgres'))('compares with PostgreSQL', async () => {
    const database = await createDatabase(inject('postgres')!)
    const env = { DATABASE_URL: database.url }
    const other = await startService(env)
    try {
      await fill(other)
      const well = await runCli(other, ['verify'], { env })
      expect(well).toMatchObject({ code: 0, stderr: '' })
      await runSql(database.url, `update superinsight.records set data = '{}' where id = 'ä 😀'`)
      const found = await runCli(other, ['verify'], { env })
      expect(found.code).toBe(1)
      expect(found.stdout).toContain(
        'DAMAGED  table records, key ["d","ä 😀"]: data is not what follows from the events',
      )
    } finally {
      await other.stop()
      removeData(other)
      await database.drop()
    }
  })
})

describe('superinsight-sync rebuild', () => {
  it('makes one or all anew and says what it found; a name that there is not is refused with those there are', async () => {
    const service = await startService()
    try {
      await fill(service)
      const all = await runCli(service, ['rebuild'])
      expect(all).toMatchObject({ code: 0 })
      expect(all.stdout.split('\n').map(line => line.split(':')[0])).toEqual([
        ...['records', 'conflicts', 'settings', 'rejections', 'jobs', ''],
      ])
      expect(all.stdout).toMatch(/records: 3,0\d\d rows made anew, none differed\n/)
      const db = new DatabaseSync(join(service.dataDir, 'read.db'), { timeout: 10_000 })
      db.exec("update records set data = '{}' where id = 'k5'")
      db.close()
      const [one, same] = await Promise.all([
        runCli(service, ['rebuild', 'records']),
        runCli(service, ['rebuild', 'records']),
      ])
      // The second one waits for the first, unless that was over before it began.
      expect([one.code, same.code].sort().at(-1)).toBe(1)
      expect(one.stdout + same.stdout).toMatch(/records: 3,0\d\d rows made anew, 1 DIFFERED and are mended\n/)
      const unknown = await runCli(service, ['rebuild', 'record'])
      expect(unknown.code).toBe(2)
      expect(unknown.stderr).toContain('there is no projection record; there are records, conflicts')
    } finally {
      await service.stop()
      removeData(service)
    }
    const env = { ADMIN_CLIENT_ID: 'someone', ADMIN_CLIENT_SECRET: 'secret' }
    const nobody = await runCli({ ...DEAD, dataDir: service.dataDir }, ['rebuild', 'records'], { env })
    expect(nobody).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^superinsight-sync: no service answers .*\n$/),
    })
  })
})
