/** The recipes of the README, "To add a …", followed to the letter for something made up. */
import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { readSchemas, render } from '../scripts/generate-events.ts'
import { readTopics, topicsIn } from '../src/adapters.ts'
import { defineConnector } from '../src/catalog/connectors/connector.ts'
import { connectorOf, connectors } from '../src/catalog/connectors/index.ts'
import { defineFormat, type ReadControl, type RowSink, tooLong } from '../src/catalog/formats/format.ts'
import { compileTransformations, transformations } from '../src/catalog/transformations/index.ts'
import { type Example, transformation } from '../src/catalog/transformations/transformation.ts'
import { readConfig, settingRows } from '../src/config.ts'
import { deciders } from '../src/domain/deciders.ts'
import { createRouter, type Route } from '../src/edge/router.ts'
import { routes } from '../src/edge/routes/index.ts'
import { schemas } from '../src/events/index.ts'
import { accept, type CommandMeta, type Decider, refuse } from '../src/kernel/decider.ts'
import type { Projection, Table } from '../src/kernel/projection.ts'
import { createCodec } from '../src/log/codec.ts'
import { openMemoryLog } from '../src/log/memory.ts'
import { openSqliteStore } from '../src/store/sqlite.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { startProjector } from '../src/workers/projector.ts'
import { formatContract } from './catalog/formats/contract.ts'
import { specification } from './kit/given.ts'
import { until } from './kit/processes.ts'
import { LIMITS } from './kit/transformations.ts'

it('an endpoint is a route and a line', async () => {
  const hello: Route = {
    method: 'GET',
    path: '/hello/:name',
    auth: 'none',
    limit: 'api',
    handle: ({ params }) => ({ status: 200, body: { hello: params.name } }),
  }
  const find = createRouter([...routes, hello])
  const { route, params } = find('GET', '/v1/sync/hello/you%20there')
  expect(route.handle({ params } as never)).toEqual({ status: 200, body: { hello: 'you there' } })
  expect(() => find('POST', '/v1/sync/hello/you')).toThrow(/it takes GET/)
})

async function readLines(file: string, column: string, sink: RowSink | undefined, control: ReadControl) {
  let number = 0
  for await (const line of createInterface({ input: createReadStream(file) })) {
    control.signal?.throwIfAborted()
    if (++number <= (control.after ?? 0) || !sink) continue
    const json = JSON.stringify({ [column]: line })
    const { maxRowBytes } = control.limits
    if (json.length <= maxRowBytes) await sink.row(number, json)
    else
      await sink.refuse(
        number,
        tooLong(json.length, control.limits),
        Buffer.from(line).subarray(0, maxRowBytes),
        json.length,
      )
  }
  return number
}

const lines = defineFormat({
  name: 'lines',
  summary: 'A text, each of whose lines is a row.',
  extensions: ['.log'],
  options: z.strictObject({ column: z.string().default('line') }),
  examples: [{ name: 'two lines', input: 'a\nb\n', options: {}, rows: ['{"line":"a"}', '{"line":"b"}'] }],
  recognises: () => false,
  read: (file, { column }, sink, control) => readLines(file, column, sink, control),
  count: (file, { column }, control) => readLines(file, column, undefined, control),
})
formatContract(lines, [lines])

it('an event is a record with docs', () => {
  const doc = 'made up'
  const record = { type: 'record', name: 'ThingSeen', doc, fields: [{ name: 'id', type: 'string', doc }] }
  expect(render([...readSchemas(), record] as never)).toContain(
    'export interface ThingSeen {\n  /** made up */\n  id: string',
  )
})

it('a topic is a file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-topics-'))
  const lines = [
    'key: the thing',
    'records: [ThingSeen]',
    'partitions: 2',
    'cleanup_policy: delete',
    'retention_ms: -1',
  ]
  writeFileSync(join(dir, 'sync.things.yaml'), [...lines, 'max_message_bytes: 1000', 'readers: [nobody]'].join('\n'))
  expect(topicsIn(dir)).toMatchObject([{ name: 'sync.things', partitions: 2, retention_ms: -1 }])
  expect(readTopics().map(({ name }) => name)).toContain('sync.records')
})

it('a projection is tables, wants and evolve', async () => {
  const perSource: Table = {
    name: 'per_source',
    columns: { source: 'text', stream: 'text', pushes: 'integer' },
    key: ['source', 'stream'],
  }
  const projection: Projection<{ source: string }, never> = {
    name: 'per_source',
    version: 1,
    topics: ['sync.records'],
    tables: [perSource],
    wants: ({ stream }, want) => want(perSource, `erp\0${stream}`),
    evolve(rows, { source }, { stream }) {
      const key = `${source}\0${stream}`
      const pushes = ((rows.get(perSource, key)?.pushes as number | undefined) ?? 0) + 1
      rows.put(perSource, key, { source, stream, pushes })
      return undefined
    },
  }
  const log = openMemoryLog()
  await log.declare(readTopics(), schemas)
  const store = openSqliteStore({ file: ':memory:' })
  await store.declare(projection.tables)
  const record = {
    dataset: 'd',
    op: 'upsert',
    data: '{}',
    version: null,
    updated_at: null,
    upsert: true,
    source: 'erp',
  } as const
  const push = {
    ...record,
    actor: 'a',
    request_id: 'r',
    line: 0,
    received_at: 0,
    job_id: null,
    conflict: null,
    origin: null,
    keeps_rules: null,
  }
  const codec = createCodec(log)
  for (const id of ['1', '2', '3'])
    await log.append([codec.batch('sync.records', 'RecordPushed', `d\0${id}`, { ...push, id })])
  const projector = await startProjector<'RecordPushed'>({
    log,
    store,
    projection: projection as never,
    logger: createLogger('silent'),
    maxEvents: 10,
    maxBytes: 1_000_000,
    onHolding: () => undefined,
    onProgress: () => undefined,
  })
  const query = { table: perSource, equal: { source: 'erp' }, limit: 10 }
  await until('three pushes to be counted', async () => {
    const rows = await store.page(query)
    return rows.reduce((sum, { pushes }) => sum + (pushes as number), 0) === 3
  })
  await projector.stop()
})

it('a transformation is an object and a line', () => {
  const shout = transformation({
    name: 'shout',
    summary: 'Writes texts in capitals.',
    can: { drop: false, refuse: false, remember: false },
    config: z.strictObject({ field: z.string() }),
    examples: [{ about: 'a text', config: { field: 'a' }, input: '{"a":"x"}', output: '{"a":"X"}' }],
    compile({ field }) {
      return () =>
        ({ fields }) => {
          fields.set(field, (fields.get(field) ?? 'null').toUpperCase())
          return 'changed'
        }
    },
  })
  const catalog = [...transformations, shout]
  const [{ config, input, output }] = shout.examples as [Example<{ field: string }>]
  expect(compileTransformations([{ type: 'shout', config }], 'list', LIMITS, catalog)()(input)).toEqual({
    json: output,
  })
  const wrong = () => compileTransformations([{ type: 'shout', config: {} }], 'list', LIMITS, catalog)
  expect(wrong).toThrow(/^list\.0\.config\.field: /)
})

it('a connector is a schema and pages with the state to go on from', async () => {
  const counting = defineConnector({
    type: 'counting',
    summary: 'Counts.',
    config: z.strictObject({ to: z.int() }),
    async *pull({ to }, state) {
      const from = (state as { n: number } | undefined)?.n ?? 0
      for (let n = from + 1; n <= to; n++)
        yield { rows: [{ number: n, id: `${n}`, data: `{"n":${n}}` }], state: { n }, total: to }
    },
  })
  const pages = []
  for await (const page of counting.pull(counting.config.parse({ to: 3 }), { n: 1 }, {} as never)) pages.push(page)
  expect(pages.map(({ state }) => state)).toEqual([{ n: 2 }, { n: 3 }])
  expect(connectors.every(({ type }) => connectorOf(type)?.type === type)).toBe(true)
})

it('something that is decided is a decider and its topic', () => {
  const lamp: Decider<boolean, { type: string; meta: CommandMeta }, { type: string; data: object }> = {
    initial: false,
    evolve: (_on, { type }) => type === 'LampLit',
    decide: on => (on ? refuse('CONFLICT', 'it is lit already') : accept({ type: 'LampLit', data: {} })),
  }
  specification(lamp)()
    .when({ type: 'Light', meta: {} as CommandMeta })
    .then({ type: 'LampLit', data: {} })
  specification(lamp)({ type: 'LampLit', data: {} })
    .when({ type: 'Light', meta: {} as CommandMeta })
    .thenRefused('CONFLICT')
  const topics = readTopics().map(({ name }) => name)
  for (const { topic } of Object.values(deciders)) expect(topics).toContain(topic)
})

it('a setting is a line that shows up everywhere', () => {
  expect(readConfig({ MAX_SUBSCRIPTIONS: '7' }).subscriptions).toBe(7)
  expect(settingRows().map(([name]) => name)).toContain('MAX_SUBSCRIPTIONS')
  expect(() => readConfig({ MAX_SUBSCRIPTIONS: 'many' })).toThrow(
    /MAX_SUBSCRIPTIONS=many: expected a whole number from 1/,
  )
})
