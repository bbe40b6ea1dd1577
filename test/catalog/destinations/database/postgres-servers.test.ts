import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { SourceBusy } from '../../../../src/catalog/connectors/connector.ts'
import { createGuard } from '../../../../src/catalog/reach/guard.ts'
import { createDatabase, runSql, startPostgres } from '../../../kit/postgres.ts'
import { openSink, postgresDatabase, rowsOf, runOf, type SinkDatabase, writePage } from '../../../kit/sinks.ts'
import { startWire } from '../../../kit/wire.ts'

const server = inject('postgres')

/** What PostgreSQL servers do besides their work, and who may ask them. */
describe.skipIf(!server)('a PostgreSQL server', () => {
  let there: SinkDatabase
  beforeAll(async () => {
    there = await postgresDatabase(server!)
  })
  afterAll(() => there.end())
  const destination = (url: string, table = 't') => ({ type: 'database', url, table })
  const changed = (change: (url: URL) => void) => {
    const url = new URL(there.url)
    change(url)
    return url.href
  }
  const failure = (opening: Promise<unknown>) =>
    opening.then(
      () => undefined,
      error => error,
    )

  it('says what is wrong with an address and never the password', async () => {
    const secret = 'hunter2-%2F@x'
    const wrong = [
      changed(url => Object.assign(url, { password: secret })),
      changed(url => Object.assign(url, { pathname: '/nowhere', search: '?application_name=x' })),
      changed(url => Object.assign(url, { username: '', password: secret })),
      changed(url => Object.assign(url, { pathname: '', password: secret })),
      `postgres://u:${secret}@/db`,
      `postgres://u:%zz${secret}@h/db`,
      `postgres://u:${secret}@h/db?sslrootcert=/etc/passwd`,
      `postgres://u:${secret}@h/db?host=/var/run`,
      `postgres://u:${secret}@h/db?sslmode=maybe`,
      changed(url => Object.assign(url, { search: '?sslmode=require' })),
    ]
    for (const url of wrong) {
      const error = await failure(openSink(destination(url)))
      expect([url, error.code, error.details?.[0].field]).toEqual([url, 'VALIDATION_ERROR', 'destination.url'])
      expect(`${error.message}${error.stack}`).not.toMatch(/hunter2|p@ss|p%40ss/)
    }
  })

  it('gives no password of the service to the server of a user', async () => {
    const asked: string[] = []
    const spy = createServer(socket => {
      let started = false
      socket.on('data', bytes => {
        asked.push(bytes.toString('latin1'))
        // Asks for the password in clear text, as a server of PostgreSQL may.
        if (!started) socket.write(Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 3]))
        else socket.destroy()
        started = true
      })
    })
    await new Promise<void>(resolve => spy.listen(0, '127.0.0.1', resolve))
    const { port } = spy.address() as { port: number }
    process.env.PGPASSWORD = 'of-the-service'
    try {
      await failure(openSink(destination(`postgres://somebody@127.0.0.1:${port}/db`)))
    } finally {
      delete process.env.PGPASSWORD
      spy.close()
    }
    expect(asked.join()).toContain('somebody')
    expect(asked.join()).not.toContain('of-the-service')
  })

  it('is not connected to where the guard forbids it, by name or by number', async () => {
    const guard = createGuard('')
    for (const host of ['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]']) {
      const url = there.url.replace('127.0.0.1', host)
      const error = await failure(openSink(destination(url), { guard }))
      expect([host, error.code]).toEqual([host, 'VALIDATION_ERROR'])
      expect(error.message).toMatch(/is not a public address/)
    }
    await runOf(destination(there.url.replace('127.0.0.1', 'localhost'), 'by_name'), {}, [rowsOf(['{"id":1}'])])
    expect(await there.rows('select * from by_name')).toEqual(['{"id": 1}'])
  })

  it('prefers TLS where a server has it, and goes on without', async () => {
    const url = changed(address => Object.assign(address, { search: '?sslmode=prefer' }))
    await runOf(destination(url, 'preferred'), {}, [rowsOf(['{"id":1}'])])
    expect(await there.rows('select * from preferred')).toHaveLength(1)
  })

  it('has tables in schemas', async () => {
    await there.exec('create schema "Sal.es"')
    await there.exec('create schema sales')
    await runOf(destination(there.url, 'sales.or.ders'), {}, [rowsOf(['{"id":1}'])])
    expect(await there.rows('select * from sales."or.ders"')).toHaveLength(1)
    expect(await there.rows('select number from sales._superinsight_sinks')).toEqual(['{"number": 1}'])
    const error = await failure(openSink(destination(there.url, 'nowhere.t')))
    expect(error).toMatchObject({ details: [{ field: 'destination.table' }] })
  })

  it('of the service itself: its schema is not for users', async () => {
    await there.exec('create schema superinsight')
    const url = changed(address => Object.assign(address, { search: '?options=-c%20search_path%3Dsuperinsight' }))
    const error = await failure(openSink(destination(url, 'jobs')))
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'destination.table' }] })
  })

  it('that forbids something says what', async () => {
    await there.exec("create table guarded(id integer); create role visitor login password 'visitor'")
    const url = changed(address => Object.assign(address, { username: 'visitor', password: 'visitor' }))
    const error = await failure(runOf(destination(url, 'guarded'), {}, [rowsOf(['{"id":1}'])]))
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' })
    expect(error.message).toMatch(/permission denied/)
  })

  it('that is not there, is silent or goes away is busy, and the sink goes on when it is back', async () => {
    const nobody = await failure(openSink(destination('postgres://u:p@127.0.0.1:1/db')))
    expect(nobody).toBeInstanceOf(SourceBusy)
    const wire = await startWire(Number(new URL(there.url).port))
    const url = changed(address => Object.assign(address, { port: String(wire.port) }))
    const sink = await openSink({ ...destination(url, 'through'), key_columns: ['id'] }, { answerMs: 500 })
    await writePage(sink, 1, rowsOf(['{"id":1}']))
    wire.silence()
    expect(await failure(writePage(sink, 2, rowsOf(['{"id":2}'])))).toBeInstanceOf(SourceBusy)
    wire.heal()
    await writePage(sink, 2, rowsOf(['{"id":2}']))
    wire.cut()
    await writePage(sink, 3, rowsOf(['{"id":3}'])).catch(error => expect(error).toBeInstanceOf(SourceBusy))
    await writePage(sink, 3, rowsOf(['{"id":3}']))
    // The commit's answer is lost: the page may be in, and is in once.
    wire.loseAnswers()
    expect(await failure(writePage(sink, 4, rowsOf(['{"id":4}'])))).toBeInstanceOf(SourceBusy)
    wire.heal()
    await writePage(sink, 4, rowsOf(['{"id":4}']))
    expect(sink.checkpoint).toEqual({ runId: 'run_1', number: 4 })
    expect((await there.rows('select * from through order by id')).length).toBe(4)
    await sink.stop()
    await wire.stop()
  })

  it('whose table is locked by somebody is busy', async () => {
    await runOf(destination(there.url, 'locked'), {}, [rowsOf(['{"id":1}'])])
    const sink = await openSink(destination(there.url, 'locked'), { runId: 'run_2', answerMs: 300 })
    await there.exec('begin; lock table locked in access exclusive mode')
    expect(await failure(writePage(sink, 2, rowsOf(['{"id":2}'])))).toBeInstanceOf(SourceBusy)
    await there.exec('rollback')
    await writePage(sink, 2, rowsOf(['{"id":2}']))
    await sink.stop()
  })

  it('while it is restarted is busy, and has each page once afterwards', async () => {
    const own = await startPostgres()
    const database = await createDatabase(own.url)
    const sink = await openSink(destination(database.url), { answerMs: 2000 })
    await writePage(sink, 1, rowsOf(['{"id":1}']))
    const restarting = own.restart()
    for (let number = 2; number <= 6; number++) {
      for (;;) {
        const error = await failure(writePage(sink, number, rowsOf([`{"id":${number}}`])))
        if (error === undefined) break
        expect(error).toBeInstanceOf(SourceBusy)
      }
    }
    await restarting
    await sink.stop()
    await runSql(database.url, 'do $$ begin assert (select count(*) = 6 and count(distinct id) = 6 from t); end $$')
    await own.stop()
  })

  it('keeps decimals, dates and lists in columns of users', async () => {
    await there.exec(`create type mood as enum ('good', 'bad');
      create table kinds(id uuid primary key, n numeric(6,2), d date, t timestamptz, l text[], m mood, s varchar(3), c char(3), j json,
        g integer generated always as (1) stored, k bigint generated always as identity)`)
    const opened = { ...destination(there.url, 'kinds'), key_columns: ['id'] }
    const id = (n: number) => `"id":"00000000-0000-0000-0000-00000000000${n}"`
    const refused = await runOf(opened, {}, [
      rowsOf([
        `{${id(1)},"k":1,"n":"1234.5","d":"2024-02-29","t":"2024-01-01T10:00:00","l":["a,b","c\\"d\\\\",null],"m":"good","s":"abc","c":"ab","j":{"b":1,"a":2}}`,
        `{${id(2)},"k":2,"n":99999}`,
        `{${id(3)},"k":3,"d":"2023-02-29"}`,
        `{${id(4)},"k":4,"m":"ugly"}`,
        `{${id(5)},"k":5,"s":"abcd"}`,
        `{${id(6)},"k":6,"c":"abcd"}`,
        `{${id(7)},"k":7}`,
        `{${id(8)},"k":8,"g":7}`,
        '{"id":"no uuid"}',
      ]),
    ])
    expect(refused.map(({ row, code, field }) => [row.number, code, field]).toSorted()).toEqual([
      [2, 'INVALID_VALUE', 'n'],
      [3, 'INVALID_VALUE', 'd'],
      [4, 'INVALID_VALUE', 'm'],
      [5, 'INVALID_VALUE', 's'],
      [6, 'INVALID_VALUE', 'c'],
      [8, 'INVALID_FIELD', 'g'],
      [9, 'INVALID_VALUE', 'id'],
    ])
    const rows = (await there.rows('select * from kinds order by id')).map(row => JSON.parse(row))
    expect(rows).toMatchObject([
      {
        n: 1234.5,
        d: '2024-02-29',
        t: '2024-01-01T10:00:00+00:00',
        l: ['a,b', 'c"d\\', null],
        m: 'good',
        s: 'abc',
        c: 'ab ',
      },
      { k: 7 },
    ])
    // A row that is the same already is not written again.
    const before = await there.rows('select id, xmin::text from kinds order by id')
    const same = `{${id(1)},"n":1234.50,"d":"2024-02-29","t":"2024-01-01T11:00:00+01:00","l":["a,b","c\\"d\\\\",null],"m":"good","s":"abc","c":"ab","j":{"b":1,"a":2},"k":1}`
    expect(await runOf(opened, { runId: 'run_2', from: 2 }, [rowsOf([same])])).toEqual([])
    expect(await there.rows('select id, xmin::text from kinds order by id')).toEqual(before)
  })
})
