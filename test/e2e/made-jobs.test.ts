import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from '../kit/api.ts'
import { realSentences } from '../kit/augmenting.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import { ASYNC, augment, dilute, lineageOf, madeRecords, plain, pushRows } from '../kit/made-datasets.ts'
import { until } from '../kit/processes.ts'
import { logsOf, startJob } from '../kit/pulls.ts'
import { seeded } from '../kit/random.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { startTranslateServer, type TranslateServer } from '../kit/translating.ts'

const ROWS = 200
const random = seeded(5)
const rows = Array.from({ length: ROWS }, (_, n) =>
  JSON.stringify({ text: random.pick(realSentences()), label: n % 2 ? 'a' : 'b', n }),
)
/** Texts after which the first page is written, and the run is not at its end: each row is translated there and back. */
const MIDDLE = ROWS
const TRANSLATED = { strategies: ['back_translation'], text_columns: ['text'], label_columns: ['label'] }

let service: Service
let server: TranslateServer
let position: string
beforeAll(async () => {
  server = await startTranslateServer()
  service = await startService({
    ...{ TRANSLATE_URL: server.url, TRANSLATE_TIMEOUT_MS: '3000', TRANSLATE_RETRIES: '1', MAX_RUN_RETRIES: '1' },
    ...{ ALLOW_PRIVATE_ADDRESSES: '127.0.0.0/8', MAX_RUN_ROWS: '50' },
  })
  position = await pushRows(service, 'texts', rows)
})
afterAll(async () => {
  await service?.stop()
  await server?.stop()
  removeData(service)
})

const asked = (more: object = {}) => ({ dataset_id: 'texts', augmentation: TRANSLATED, seed: '7', ...more })
const command = (id: string, verb: string) => call(service, `/jobs/${id}/${verb}`, { method: 'POST', body: {} })
const made = async (id: string, at: string) => plain(await madeRecords(service, id, at))

/** What an undisturbed run makes. */
async function undisturbed(): Promise<object[]> {
  const { status, text, body } = await augment(service, asked(), position)
  expect(status, text).toBe(200)
  return made(body.output_dataset_id, body.position)
}

describe('an augmentation by a translator', () => {
  it('makes rows of what comes back', async () => {
    const rows = (await undisturbed()) as { data: { text: string }; origin: { strategy: string } | null }[]
    const translated = rows.filter(({ origin }) => origin)
    expect(translated.length).toBeGreaterThan(ROWS / 2)
    for (const { data, origin } of translated) {
      expect(origin!.strategy).toBe('back_translation')
      expect(data.text).toMatch(/indeed$/)
    }
  })

  it('is refused when the translator has no such languages, naming the field', async () => {
    const strategies = [{ type: 'back_translation', config: { via: 'fr' } }]
    const { status, body } = await augment(service, asked({ augmentation: { ...TRANSLATED, strategies } }), position)
    expect([status, body.error.details[0]!.field]).toEqual([400, 'augmentation.strategies'])
  })

  it.each(['silent', 'broken'] as const)(
    'fails when the translator is %s, says what was made, and goes on from there when it is started again',
    async how => {
      const wanted = await undisturbed()
      server.behave(how, MIDDLE)
      const begun = await augment(service, asked(), position, ASYNC)
      const { job_id, output_dataset_id } = begun.body
      const failed = (await jobEnd(service, job_id)) as unknown as {
        status: string
        error: { message: string; details: { field: string }[] }
      }
      server.behave('well')
      expect(failed.status).toBe('failed')
      expect(failed.error.message).toMatch(/TRANSLATE_URL.*\d+ rows are in data set/)
      expect(failed.error.details).toMatchObject([{ field: 'augmentation.strategies' }])
      await startJob(service, job_id)
      const before = server.asked.length
      const job = await jobEnd(service, job_id)
      expect(job.status).toBe('completed')
      // What was there already was not asked for again.
      expect(server.asked.slice(before)).not.toContain(JSON.parse(rows[0]!).text)
      expect(await made(output_dataset_id, job.position)).toEqual(wanted)
    },
    120_000,
  )

  it('tells its caller what it failed with', async () => {
    server.behave('silent')
    const { status, body } = await augment(service, asked(), position)
    server.behave('well')
    expect([status, body.error.code]).toEqual([503, 'UNAVAILABLE'])
    expect(body.error.message).toContain('TRANSLATE_URL')
    expect(body.error.details).toMatchObject([{ field: 'augmentation.strategies' }])
  }, 120_000)
})

describe('a job that makes a data set', () => {
  it('is paused, resumed, and gives the same as one that was not', async () => {
    const wanted = await undisturbed()
    server.behave('silent', MIDDLE)
    const { job_id, output_dataset_id } = (await augment(service, asked(), position, ASYNC)).body
    await jobUntil(service, job_id, ({ records_processed }) => records_processed > 0)
    const paused = await command(job_id, 'pause')
    expect([paused.status, paused.body]).toMatchObject([202, { status: 'paused' }])
    server.behave('well')
    expect((await command(job_id, 'resume')).status).toBe(202)
    const job = await jobEnd(service, job_id)
    expect(job).toMatchObject({ status: 'completed', progress: 100, records_processed: wanted.length })
    expect(await made(output_dataset_id, job.position)).toEqual(wanted)
    expect((await logsOf(service, job_id)).map(({ message }) => message)).toContain('the source was read')
  }, 60_000)

  it('is cancelled, and goes on from there when it is started again', async () => {
    const wanted = await undisturbed()
    server.behave('silent', MIDDLE)
    const { job_id, output_dataset_id } = (await augment(service, asked(), position, ASYNC)).body
    await jobUntil(service, job_id, ({ records_processed }) => records_processed > 0)
    expect((await command(job_id, 'cancel')).status).toBe(202)
    server.behave('well')
    expect((await call<{ status: string }>(service, `/jobs/${job_id}`)).body.status).toBe('cancelled')
    const { made_by } = await lineageOf(service, output_dataset_id, `?min_position=${position}`)
    expect(made_by).toMatchObject({ job_id, status: 'cancelled' })
    await startJob(service, job_id)
    const job = await jobEnd(service, job_id)
    expect(await made(output_dataset_id, job.position)).toEqual(wanted)
  }, 60_000)

  it('is answered with a conflict when somebody cancels it meanwhile', async () => {
    server.behave('silent')
    const answer = augment(service, asked({ name: 'never' }), position)
    const list = async () => {
      const { body } = await call<{ items: { id: string; name: string }[] }>(service, '/jobs?per_page=1000')
      return body.items.find(({ name }) => name === 'never')?.id
    }
    const id = (await until('the job', list, 30_000)) as string
    expect((await command(id, 'cancel')).status).toBe(202)
    const { status, body } = await answer
    server.behave('well')
    expect([status, body.error.code]).toEqual([409, 'CONFLICT'])
    expect((await call(service, `/jobs/${id}`, { method: 'DELETE' })).status).toBe(204)
  }, 60_000)

  it('tells of its progress over a WebSocket', async () => {
    const socket = new WebSocket(`${service.url.replace('http', 'ws')}/ws?token=${service.token}`)
    const messages: { type: string; payload: { job_id?: string; records_total?: number; status?: string } }[] = []
    const opened = new Promise(resolve => socket.addEventListener('open', resolve))
    socket.addEventListener('message', ({ data }) => void messages.push(JSON.parse(String(data))))
    await opened
    const payload = { channel: 'sync_updates' }
    socket.send(JSON.stringify({ type: 'subscribe', payload }))
    await until('the subscription', () => messages.some(({ type }) => type === 'subscribed'), 30_000)
    const body = {
      source_dataset_id: 'texts',
      dilution_dataset_ids: ['others'],
      config: { dilution_ratio: 1, matching_fields: ['label'], quality_threshold: 0 },
    }
    const at = await pushRows(
      service,
      'others',
      rows.map(row => row.replace('"n":', '"n":1')),
      'o',
    )
    const { job_id, diluted_records } = (await dilute(service, body, at)).body
    expect(diluted_records).toBe(ROWS)
    const done = ({ payload }: (typeof messages)[number]) => payload.job_id === job_id && payload.status === 'completed'
    await until('the end to be told', () => messages.some(done), 30_000)
    const progress = messages.filter(({ type, payload }) => type === 'sync_progress' && payload.job_id === job_id)
    expect(progress.length).toBeGreaterThan(0)
    expect(progress.at(-1)!.payload).toMatchObject({ records_processed: ROWS * 2, records_total: ROWS * 2 })
    socket.close()
  }, 60_000)
})
