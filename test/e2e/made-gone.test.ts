import { afterAll, beforeAll, expect, it } from 'vitest'
import { call } from '../kit/api.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import { ASYNC, augment, pushRows } from '../kit/made-datasets.ts'
import { until } from '../kit/processes.ts'
import { startJob } from '../kit/pulls.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { startTranslateServer, type TranslateServer } from '../kit/translating.ts'

let service: Service
let server: TranslateServer
beforeAll(async () => {
  server = await startTranslateServer()
  service = await startService({
    ...{ TRANSLATE_URL: server.url, ALLOW_PRIVATE_ADDRESSES: '127.0.0.0/8', VERSION_KEEP_SECONDS: '1' },
    ...{ TRANSLATE_TIMEOUT_MS: '1000', MAX_RUN_RETRIES: '1000' },
  })
})
afterAll(async () => {
  await service?.stop()
  await server?.stop()
  removeData(service)
})

it('a job whose moment is forgotten before it ends fails and says so, however often it is started', async () => {
  const rows = (word: string) => Array.from({ length: 20 }, (_, n) => `{"text":"the ${word} came home at ${n}"}`)
  const position = await pushRows(service, 'texts', rows('cat'))
  server.behave('silent')
  const augmentation = { strategies: ['back_translation'] }
  const { job_id } = (await augment(service, { dataset_id: 'texts', augmentation }, position, ASYNC)).body
  await jobUntil(service, job_id, ({ status }) => status === 'waiting')
  await pushRows(service, 'texts', rows('dog'))
  const forgotten = async () => (await call(service, `/datasets/texts/records?as_of=${position}`)).status === 410
  await until('what the texts were to be forgotten', forgotten, 60_000)
  server.behave('well')
  for (const start of [async () => undefined, () => startJob(service, job_id)]) {
    await start()
    const job = (await jobEnd(service, job_id)) as unknown as {
      status: string
      error: { code: string; message: string }
    }
    expect(job).toMatchObject({ status: 'failed', error: { code: 'GONE' } })
    expect(job.error.message).toContain('VERSION_KEEP_SECONDS')
  }
}, 180_000)
