import { request } from 'node:http'
import { between, lasting } from './faults.ts'
import { type Ledger, type Push, recordText } from './ledger.ts'
import type { Random } from './random.ts'
import type { Service } from './service.ts'

/** A push that was answered with something else than success. */
export interface Refusal {
  readonly kind: 'batch' | 'stream'
  readonly status: number
  readonly retryAfter: string | null
  readonly body: { error?: { code: string; message: string; details: unknown; request_id: string } }
  readonly tookMs: number
}

/** Writers that push until they are stopped, whatever they are answered. */
export interface Load {
  readonly refusals: readonly Refusal[]
  /** Lets what is under way end; a service that is gone ends it too. */
  stop(): Promise<void>
}

export interface LoadOptions {
  streams?: number
  batches?: number
  /** Most lines written at once, most records of a batch. */
  records?: number
  /** How long a writer rests before each chunk or batch: without it the writers take all the machine. */
  restMs?: number
}

const MAX_UNANSWERED = 2000

/** Starts writers over `/push/stream` with receipts and over `/push/batch`. */
export function startLoad(service: Service, ledger: Ledger, random: Random, options: LoadOptions = {}): Load {
  const { streams = 3, batches = 2, records = 60, restMs = 4 } = options
  const refusals: Refusal[] = []
  let stopping = false
  const writer: Writer = { service, ledger, random, records, restMs, refusals, stopping: () => stopping }

  async function again(push: (writer: Writer) => Promise<void>): Promise<void> {
    while (!stopping) {
      const refused = refusals.length
      await push(writer)
      // Not as long as Retry-After says: a run would be over before anything was tried again.
      await lasting(refusals.length > refused ? 100 : restMs)
    }
  }
  const running = [...Array(streams).fill(pushStream), ...Array(batches).fill(pushBatch)].map(again)
  return {
    refusals,
    async stop() {
      stopping = true
      await Promise.all(running)
    },
  }
}

interface Writer {
  service: Service
  ledger: Ledger
  random: Random
  records: number
  restMs: number
  refusals: Refusal[]
  stopping(): boolean
}

async function pushBatch({ service, ledger, random, records, refusals }: Writer): Promise<void> {
  const by = ledger.connection()
  const pushes = Array.from({ length: between(random, 1, records) }, () => ledger.make(by))
  const started = Date.now()
  const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' }
  const body = `{"source":"batches","records":[${pushes.map(recordText).join(',')}]}`
  try {
    const answer = await fetch(`${service.url}/push/batch`, { method: 'POST', headers, body })
    const told = (await answer.json()) as { position: string }
    if (answer.status === 200) return pushes.forEach(push => void ledger.acknowledge(push, told.position))
    const { status } = answer
    const tookMs = Date.now() - started
    refusals.push({
      kind: 'batch',
      status,
      retryAfter: answer.headers.get('retry-after'),
      body: told as object,
      tookMs,
    })
  } catch {
    // The service is gone: whether the batch is in is unknown, and stays so.
  }
}

/** One connection: some chunks of lines, then its end; resolves when it is over, whoever ended it. */
function pushStream({ service, ledger, random, records, restMs, refusals, stopping }: Writer): Promise<void> {
  const by = ledger.connection()
  const sent: Push[] = []
  let through = 0
  let over = false
  let wake: () => void = () => undefined
  const started = Date.now()
  const { promise, resolve } = Promise.withResolvers<void>()
  const finish = () => {
    over = true
    wake()
    resolve()
  }

  const headers = {
    authorization: `Bearer ${service.token}`,
    'content-type': 'application/x-ndjson',
    accept: 'application/x-ndjson',
  }
  const upload = request(`${service.url}/push/stream?source=streams`, { method: 'POST', headers, agent: false })
  upload.on('error', finish)
  upload.on('close', finish)
  upload.on('response', response => {
    let rest = ''
    response.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      // A line that a kill has cut off never counts.
      rest = lines.pop()!
      for (const line of lines) take(JSON.parse(line))
    })
    response.on('error', finish)
    response.on('close', finish)
  })

  function take(told: { through?: number; position: string } & Refusal['body']): void {
    if (told.error) {
      refusals.push({ kind: 'stream', status: 200, retryAfter: null, body: told, tookMs: Date.now() - started })
      return
    }
    const upTo = told.through ?? sent.length
    for (; through < upTo; through++) ledger.acknowledge(sent[through]!, told.position)
    wake()
  }

  async function write(): Promise<void> {
    for (let chunks = between(random, 1, 40); chunks > 0 && !over && !stopping(); chunks--) {
      const pushes = Array.from({ length: between(random, 1, records) }, () => ledger.make(by))
      sent.push(...pushes)
      upload.write(pushes.map(push => `${recordText(push)}\n`).join(''))
      while (!over && sent.length - through > MAX_UNANSWERED) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
      await lasting(restMs)
    }
    upload.end()
  }
  void write()
  return promise
}
