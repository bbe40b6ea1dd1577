import { skipMembers } from '../../kernel/json.ts'
import type { FilterSpec } from '../socket/filter.ts'
import { message, type Text } from '../socket/messages.ts'
import { createSubscriptions } from '../socket/subscriptions.ts'
import { camelName } from './connections.ts'
import type { Asked } from './context.ts'
import { ResyncRequired } from './errors.ts'
import { JsonText } from './json.ts'

/** What live messages are in GraphQL, by their types. */
const TYPES: Readonly<Record<string, string>> = {
  record_change: 'RecordChange',
  conflict_detected: 'ConflictDetected',
  conflict_resolved: 'ConflictResolved',
  job_status: 'JobStatus',
  sync_progress: 'JobProgress',
}

/** The code of a `resync_required`, by its reason for programs. */
const RESYNC = {
  slow: 'UNAVAILABLE',
  not_kept: 'GONE',
  other_log: 'VALIDATION_ERROR',
  beyond_end: 'VALIDATION_ERROR',
} as const

interface Message {
  readonly type: string
  readonly payload: Record<string, unknown>
  readonly timestamp: string
  readonly position: string
}

/** As deep as anything that was pushed can be. */
const DEPTH = 520

/** The values of a change as they were pushed: no number of them is rounded. */
function changesIn(text: string): JsonText {
  const bytes = Buffer.from(text)
  let found = 'null'
  const member = (from: number, name: string, onValue: (start: number, end: number) => void) =>
    skipMembers(bytes, from, bytes.length, DEPTH, (keyStart, keyEnd, start, end) => {
      if (bytes.toString('utf8', keyStart + 1, keyEnd - 1) === name) onValue(start, end)
    })
  member(0, 'payload', start =>
    member(start, 'changes', (from, to) => {
      found = bytes.toString('utf8', from, to)
    }),
  )
  return new JsonText(found)
}

/** A live message on its way to the fields that are asked for. */
function changeSource(text: string) {
  const { type, payload, timestamp, position }: Message = JSON.parse(text)
  const { table, changes, ...more } = payload
  const shown = Object.fromEntries(Object.entries(more).map(([name, value]) => [camelName(name), value]))
  return {
    ...{ kind: TYPES[type], type, timestamp, position, ...shown },
    ...(table === undefined ? {} : { dataset: table }),
    ...(type === 'record_change' ? { changes: changesIn(text) } : {}),
  }
}

/**
 * The messages of one subscription, as a socket would be sent them: the same buffer, and who is too slow for it is told
 * where to go on. Rejects with what is wrong with what was asked.
 */
export async function followChanges(field: string, filters: FilterSpec, since: string | undefined, asked: Asked) {
  const { services } = asked.request
  const { live, config, logger } = services
  let waiting: string[] = []
  let bytes = 0
  let failed: unknown
  let ended = false
  let wake: () => void = () => undefined

  function take(text: string): boolean {
    if (ended) return true
    if (bytes > config.socketBufferBytes) return false
    waiting.push(text)
    bytes += Buffer.byteLength(text)
    wake()
    return true
  }
  const connection = {
    send: take,
    sendAll(messages: readonly Text[]): number {
      const refused = messages.findIndex(each => !take(each.toString()))
      return refused < 0 ? messages.length : refused
    },
    buffered: () => bytes,
    listen: (topic: string) => live.listen(topic, listener),
    unlisten: (topic: string) => live.unlisten(topic, listener),
    close: end,
  }
  const listener = {
    hear(_: Buffer, text: string): void {
      if (take(text)) return
      subscriptions.onDropped(text)
      subscriptions.leave()
    },
    look: () => undefined,
  }
  function fail(error: unknown): void {
    failed = error
    wake()
  }
  const send = (type: string, payload: object) => void take(message(type, payload, subscriptions.standing()))
  const subscriptions = createSubscriptions(services, live.hub, connection, send, fail)

  function end(): void {
    if (ended) return
    ended = true
    waiting = []
    bytes = 0
    subscriptions.end()
    wake()
  }

  /** The next message; undefined at the end. */
  async function next(): Promise<string | undefined> {
    for (;;) {
      const text = waiting.shift()
      if (text !== undefined) {
        bytes -= Buffer.byteLength(text)
        subscriptions.goOn()
        return text
      }
      if (failed !== undefined) throw failed
      if (ended) return undefined
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }

  async function source() {
    for (let text = await next(); text !== undefined; text = await next()) {
      const { type, payload }: Message = JSON.parse(text)
      if (type === 'resync_required') throw resyncOf(payload)
      if (!TYPES[type]) continue
      asked.restart()
      return { done: false as const, value: { [field]: changeSource(text) } }
    }
    return { done: true as const, value: undefined }
  }

  try {
    await subscriptions.subscribe({ filters, ...(since === undefined ? {} : { since }) }, '')
  } catch (error) {
    logger.debug({ err: error }, 'a subscription was refused')
    end()
    throw error
  }
  return {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        source().catch(error => {
          end()
          throw error
        }),
      async return() {
        end()
        return { done: true as const, value: undefined }
      },
    }),
  }
}

function resyncOf({ code, reason, from, position }: Record<string, unknown>): ResyncRequired {
  return new ResyncRequired(RESYNC[code as keyof typeof RESYNC], String(reason), { code, from, position })
}
