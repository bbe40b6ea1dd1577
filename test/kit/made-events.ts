import { type JobCommand, type JobEvent, jobDecider } from '../../src/domain/job.ts'
import type { RecordRejected } from '../../src/events/index.ts'
import type { Sourced } from './fold.ts'
import type { Random } from './random.ts'

const JOBS = ['job_1', 'job_2', 'job_3']
const TEXTS = ['plain', '', 'ä 你好 😀', '"quoted" \\ \n', 'a\u0000b', '\u0000', '\ufeffmark', '\uffff', "it's"]

/** What people, runners and checkpoints make of a few jobs, and what their runs tell: each job in one stream of each topic. */
export function randomJobEvents(random: Random, count: number): Sourced[] {
  const states = new Map(JOBS.map(id => [id, { state: jobDecider.initial, runs: 0, pages: 0 }]))
  const offsets = new Map<string, number>()
  const sourced: Sourced[] = []
  const put = (topic: string, job: string, type: string, event: object) => {
    const stream = `${topic}-${JOBS.indexOf(job) % 2}`
    const offset = (offsets.get(stream) ?? -1) + 1 + random.int(3)
    offsets.set(stream, offset)
    sourced.push({ type, event, source: { stream, offset, key: `job/${job}` } })
  }
  for (let n = 0; n < count; n++) {
    const job_id = random.pick(JOBS)
    const job = states.get(job_id)!
    const { state } = job
    const at = 1_750_000_000_000 + n
    if (state.is === 'job' && state.runId && random.chance(0.3)) {
      const run_id = random.chance(0.9) ? state.runId : 'run_of_before'
      const told = {
        job_id,
        run_id,
        level: random.pick(['debug', 'info', 'warning', 'error']),
        metadata: '{"n":1}',
        at,
      }
      put('sync.logs', job_id, 'RunLogged', { ...told, message: random.pick(TEXTS) })
      const page = {
        number: ++job.pages,
        after: null,
        taken: 0,
        state: `{"row":${n}}`,
        processed: n,
        rejected: random.int(3),
        at,
      }
      const checkpoint = { job_id, run_id, ...page, total: random.pick([null, 1000]) }
      put('sync.jobs', job_id, 'RunCheckpointed', checkpoint)
      job.state = jobDecider.evolve(state, { type: 'RunCheckpointed', data: checkpoint })
      continue
    }
    const command = randomCommand(random, job_id, `run_${job_id}_${job.runs}`, n)
    const meta = { command_id: `cmd_${n}`, actor: 'cli_1', request_id: 'req_1', at }
    const run = random.chance(0.9) && state.is === 'job' ? { run_id: state.runId ?? 'none' } : {}
    const fresh = command.type === 'StartJob' || command.type === 'ScheduleRun'
    const ofRun = 'run_id' in command.data && !fresh ? run : {}
    const { events } = jobDecider.decide(state, { ...command, data: { ...command.data, ...ofRun }, meta } as never)
    for (const { type, data } of events) {
      put('sync.jobs', job_id, type, data)
      if (type === 'RunQueued' || type === 'RunSkipped') job.runs++
    }
    job.state = (events as JobEvent[]).reduce(jobDecider.evolve, state)
  }
  return sourced
}

function randomCommand(random: Random, job_id: string, run_id: string, n: number): JobCommand {
  const settings = { job_id, name: random.pick(TEXTS), connector_type: random.pick(['file', 'rest_api']), config: '{}' }
  const failure = { code: 'VALIDATION_ERROR', message: random.pick(TEXTS), details: '[{"field":"a","message":"b"}]' }
  const scheduled_at = 1_750_000_000_000 + n - random.int(5)
  return random.pick<JobCommand>([
    { type: 'ScheduleRun', data: { job_id, run_id, scheduled_at, overlap: 'skip' } },
    { type: 'ScheduleRun', data: { job_id, run_id, scheduled_at, overlap: 'queue' } },
    { type: 'SkipRun', data: { job_id, scheduled_at } },
    { type: 'SetState', data: { job_id, state: random.pick(['null', `{"row":-${n}}`]) } },
    { type: 'CreateJob', data: settings },
    { type: 'CreateJob', data: { ...settings, queue: { run_id, trigger: 'upload' } } },
    { type: 'UpdateJob', data: settings },
    { type: 'DeleteJob', data: { job_id, force: random.chance(0.1) } },
    { type: 'StartJob', data: { job_id, run_id, trigger: 'manual' } },
    { type: 'StartJob', data: { job_id, run_id, trigger: 'schedule' } },
    { type: 'PauseJob', data: { job_id } },
    { type: 'ResumeJob', data: { job_id } },
    { type: 'CancelJob', data: { job_id } },
    { type: 'BeginRun', data: { job_id, run_id } },
    { type: 'BeginRun', data: { job_id, run_id } },
    { type: 'WaitRun', data: { job_id, run_id, until: 1_750_000_900_000, reason: 'busy', failures: 1 } },
    { type: 'CompleteRun', data: { job_id, run_id, result: random.pick([null, '{"rows":1}']), position: 'log~x.1' } },
    { type: 'FailRun', data: { job_id, run_id, ...failure, position: random.pick([null, 'log~x.2']) } },
  ])
}

const ORIGINALS = ['{"id":"1"}', 'not JSON', '', '\ufeff{}', 'a\u0000b', 'ä😀', '\uffff'].map(text => Buffer.from(text))
const BYTES = [
  [0xff, 0xfe, 0x41, 0],
  [0xed, 0xa0, 0x80],
  [0xc0, 0x80],
  [0xc4, 0xe3, 0xba, 0xc3],
  [0xe2, 0x82],
]

export function rejection(more: Partial<RecordRejected> = {}): RecordRejected {
  const original = Buffer.from('{"id":1}')
  return {
    ...{ id: 'rej_1', dataset: 'orders', record_id: null, stage: 'parse', code: 'INVALID_FIELD', field: 'id' },
    ...{ message: 'id: expected a string, got 1', original, original_bytes: original.length, source: 'till' },
    ...{ actor: 'cli_1', request_id: 'req_1', line: 3, received_at: 1_750_000_000_000, job_id: null, value: '1' },
    ...{ webhook_id: null, data_only: false, id_at: null, data: null, text_only: false },
    ...{ upsert: true, validate: true, transform: true },
    ...more,
  }
}

/** Refused rows with texts and bytes of every kind, and some of them replayed, now and then twice. */
export function randomRejections(random: Random, count: number): Sourced[] {
  const ids: string[] = []
  return Array.from({ length: count }, (_, n): Sourced => {
    if (ids.length > 0 && random.chance(0.3)) {
      const rejection_id = random.pick(ids)
      const event = { rejection_id, dataset: 'orders', record_id: 'r', mended: true, command_id: 'c', by: 'b', at: n }
      return {
        type: 'RejectionReplayed',
        event,
        source: { stream: 'sync.replays-0', offset: n, key: `rejection/${rejection_id}` },
      }
    }
    const id = `rej_${String(n).padStart(5, '0')}`
    ids.push(id)
    const original = random.pick([...ORIGINALS, ...BYTES.map(bytes => Buffer.from(bytes))])
    const text = () => random.pick(TEXTS)
    const place = { dataset: random.pick(['orders', 'stock', null]), original_bytes: original.length }
    const event = rejection({
      id,
      field: text(),
      message: text(),
      value: text(),
      record_id: text(),
      original,
      ...place,
    })
    return { type: 'RecordRejected', event, source: { stream: `sync.rejected-${n % 2}`, offset: n, key: id } }
  })
}

/** Settings of a few data sets, each changed again and again. */
export function randomSettings(random: Random, count: number): Sourced[] {
  return Array.from({ length: count }, (_, offset): Sourced => {
    const dataset = random.pick(['orders', 'with/slash', 'ä😀', 'stock'])
    const event = {
      ...{
        command_id: 'cmd_1',
        dataset,
        title: random.pick([null, ...TEXTS]),
        category: random.pick([null, ...TEXTS]),
      },
      ...{ schema: random.pick([null, '{"type":"object"}']), transformations: random.pick([null, '[]']) },
      schema_contract: random.pick(['evolve', 'freeze', 'discard_row', 'discard_value']),
      ...{ conflict_policy: random.pick([null, '"manual"']), made_by: random.pick([null, 'job_1']) },
      ...{ by: 'cli_1', at: 1_750_000_000_000 + offset },
    }
    const source = { stream: `sync.datasets-${dataset.length % 2}`, offset, key: `dataset/${dataset}` }
    return { type: 'DatasetConfigured', event, source }
  })
}
