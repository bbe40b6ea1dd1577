import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { call, readRecords } from '../kit/api.ts'
import { runCli, startCli } from '../kit/cli.ts'
import { outsideFiles, outsidePath } from '../kit/outside-files.ts'
import { freePort, until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const line = (n: number, text = '') => `${JSON.stringify({ id: `r${n}`, data: { n, text } })}\n`
const lines = (count: number, text = '') => Array.from({ length: count }, (_, n) => line(n, text)).join('')

const folder = mkdtempSync(join(tmpdir(), 'sync-push-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('push', () => {
  let service: Service
  beforeAll(async () => {
    service = await startService()
  })
  afterAll(async () => {
    await service?.stop()
    removeData(service)
  })

  it('takes lines in requests of a size, and prints the position that has all of them', async () => {
    const path = file('many.ndjson', lines(20_000))
    const ended = await runCli(service, ['push', path, '--dataset', 'many', '--request-bytes', '65536'])
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    const receipt = JSON.parse(ended.stdout)
    expect(receipt).toMatchObject({ accepted: 20_000, rejected: 0, lines: 20_000 })
    const rows = await readRecords(service, 'many', receipt.position)
    expect(rows.map(({ data, version }) => [data.n, version])).toEqual(rows.map(({ id }) => [Number(id.slice(1)), 1]))
    expect(rows).toHaveLength(20_000)
  })

  it('takes what comes on stdin as it comes', async () => {
    const started = startCli(service, ['push', '-', '--dataset', 'typed', '--source', 'me', '--ack', 'projected'])
    started.write(line(1))
    const look = async () => (await call(service, '/datasets/typed/records/r1')).status === 200
    await until('the first line to be in', look)
    started.write(line(2).trimEnd())
    started.end()
    const { code, stdout } = await started.ended
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { accepted: 2, lines: 2 }])
    expect((await call(service, '/datasets/typed/records/r2')).status).toBe(200)
  })

  it('takes a file that begins with a byte order mark', async () => {
    const path = file('marked.ndjson', `\ufeff${line(0)}${line(1)}`)
    const { code, stdout, stderr } = await runCli(service, ['push', path, '--dataset', 'marked'])
    expect([code, stderr, JSON.parse(stdout)]).toMatchObject([0, '', { accepted: 2, lines: 2 }])
  })

  it('tells which lines were refused, and why, and exits with 1', async () => {
    const text = `${line(0)}\n{"data":{}}\n${'nonsense\n'.repeat(20)}${line(1)}`
    const ended = await runCli(service, ['push', file('some.ndjson', text), '--dataset', 'some', '--skip', '1'])
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.stdout)).toMatchObject({ accepted: 1, rejected: 21, lines: 24 })
    const told = ended.stderr.trim().split('\n')
    expect(told[0]).toMatch(/^line 3: id: .*\(MISSING_FIELD\)$/)
    expect(told[1]).toMatch(/^line 4: .*\(INVALID_JSON\)$/)
    expect(told.slice(10)).toEqual([expect.stringContaining('/rejected'), 'superinsight-sync: 21 rows were refused'])
  })

  it.each(['csv-pandas.csv', 'parquet-types.parquet', 'excel-openpyxl.xlsx', 'json-duckdb.ndjson'])(
    'uploads %s, and waits until its rows are in',
    async name => {
      const known = outsideFiles.find(({ file }) => file === name)!
      const dataset = `file ${name}`
      const options = JSON.stringify(known.options ?? {})
      const args = ['push', outsidePath(name), '--dataset', dataset, '--format', known.format, '--options', options]
      const ended = await runCli(service, args)
      const { accepted, rejected, position, status } = JSON.parse(ended.stdout)
      expect([ended.code, status]).toEqual([rejected > 0 ? 1 : 0, 'completed'])
      expect((await readRecords(service, dataset, position)).length).toBe(accepted)
      expect(accepted).toBeGreaterThan(0)
    },
  )

  it('tells what was refused of a file', async () => {
    const path = file('goods.csv', 'sku;n\na;1\n;2\n')
    const args = ['push', path, '--dataset', 'goods', '--id-column', 'sku', '--options', '{"delimiter":";"}']
    const ended = await runCli(service, args)
    expect([ended.code, JSON.parse(ended.stdout)]).toMatchObject([1, { accepted: 1, rejected: 1 }])
    expect(ended.stderr).toContain('sku: expected')
    expect(ended.stderr).toContain('/rejected?job_id=')
  })

  it.each([
    [['push'], 'push needs FILE|-'],
    [['push', 'nowhere.ndjson'], 'nowhere.ndjson: there is no such file'],
    [['push', '-', '--format', 'csv'], 'only ndjson comes on stdin'],
    [['push', '-', '--upsert', 'maybe'], 'upsert'],
    [['push', '-', '--skip', '-1'], '--skip needs a value'],
    [['push', '-', '--skip=-1'], '--skip'],
    [['push', '-', '--skip', '9'], '--skip 9: there are only 2 lines'],
    [['push', '-', '--skip', '1', '--upsert', 'maybe'], 'sync: upsert: expected true or false, got maybe\n'],
    [['push', '-', '--options', '{bad'], '--options: this goes as ndjson'],
    [['push', 'FILE.csv', '--skip', '1'], '--skip: this goes as a file that is uploaded'],
    [['push', '-', '--dataset', ''], 'dataset'],
    [['push', 'FILE.csv', '--options', '[]'], '--options'],
    [['push', 'FILE.csv', '--options', '{"nothing":1}'], 'nothing'],
  ])('%j is refused with exit code 2', async (args, named) => {
    const real = args.map(arg => (arg === 'FILE.csv' ? file('a.csv', 'a\n1\n') : arg))
    const { code, stdout, stderr } = await runCli(service, real, { input: line(1) + line(2) })
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(named)])
  })

  it('ends after what is under way when it is asked to, and says how to go on', async () => {
    const path = file('long.ndjson', lines(400_000, 'some text'))
    const args = ['push', path, '--dataset', 'long', '--request-bytes', '262144']
    const first = startCli(service, args)
    await until('some to be in', async () => {
      const { body } = await call<{ items: unknown[] }>(service, '/datasets/long/records?limit=1')
      return body.items?.length === 1
    })
    first.signal('SIGINT')
    const { code, stdout, stderr } = await first.ended
    const { accepted, lines: through } = JSON.parse(stdout)
    expect([code, accepted]).toEqual([130, through])
    expect(through).toBeLessThan(400_000)
    expect(stderr).toContain(`stopped after line ${through}; go on with --skip ${through}`)
    const rest = await runCli(service, [...args, '--skip', String(through)])
    expect([rest.code, JSON.parse(rest.stdout)]).toMatchObject([0, { accepted: 400_000 - through, lines: 400_000 }])
    const topic = await call(service, '/events/export?topic=sync.records&key=long%00r399999')
    expect(topic.text.trim().split('\n')).toHaveLength(1)
  })
})

describe('push, while the service is away', () => {
  let service: Service | undefined
  afterEach(async () => {
    await service?.stop('SIGKILL')
    if (service) removeData(service)
  })

  it('goes on where it was, and no row is doubled', async () => {
    const count = 300_000
    const path = file('restarted.ndjson', lines(count, 'some text'))
    const port = { PORT: String(await freePort()) }
    service = await startService(port)
    const { dataDir } = service
    const size = String(Math.ceil(statSync(path).size / 20))
    const pushing = startCli(service, ['push', path, '--dataset', 'restarted', '--request-bytes', size])
    for (const ending of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      const { url } = service
      const seen = async () =>
        Number(
          /^sync_ingest_records_total\{.*accepted.*\} (\d+)/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ??
            0,
        )
      await until('more to be in', async () => (await seen()) > 20_000)
      await service.stop(ending)
      service = await startService(port, { dataDir })
    }
    const { code, stdout, stderr } = await pushing.ended
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { accepted: count, rejected: 0, lines: count }])
    expect(stderr).toContain('trying again')
    const rows = await readRecords(service, 'restarted', JSON.parse(stdout).position)
    expect(rows).toHaveLength(count)
    expect(rows.filter(({ version }) => version !== 1)).toEqual([])
  })

  it.each([[['-']], [[file('away.csv', 'a\n1\n')]]])('says that nobody answers: %j', async operands => {
    service = await startService()
    const nobody = { ...service, url: `http://127.0.0.1:${await freePort()}/v1/sync` }
    const started = startCli(nobody, ['push', ...operands, '--dataset', 'nobody'])
    started.write(line(1))
    started.end()
    await until('it to say so', () => started.stderr().includes('no service answers at http://127.0.0.1'))
    started.signal('SIGINT')
    expect((await started.ended).code).toBe(130)
  })
})
