import type { MessagePort } from 'node:worker_threads'
import { DomainError, type ErrorCode, type ErrorDetail } from '../kernel/errors.ts'

/** A function that a thread offers to others over a port. What it takes and gives must be structured-cloneable. */
type Handler = (...args: never[]) => Promise<unknown>

interface Call {
  call: number
  name: string
  args: unknown[]
}

interface Failure {
  message: string
  domain?: { code: ErrorCode; details: readonly ErrorDetail[]; retryAfter: number | undefined }
}

interface Calls {
  calls: Call[]
}

interface Answers {
  answers: Answer[]
}

type Answer = { answer: number; value: unknown } | { answer: number; failure: Failure }

/** Answers calls that come in on `port` from `handlers`, by name. */
export function serveCalls(port: MessagePort, handlers: Readonly<Record<string, Handler>>): void {
  let answers: Answer[] = []
  function tell(): void {
    const told = answers
    answers = []
    port.postMessage({ answers: told } satisfies Answers)
  }
  async function answerTo({ call, name, args }: Call): Promise<void> {
    let answer: Answer
    try {
      answer = { answer: call, value: await handlers[name]!(...(args as never[])) }
    } catch (error) {
      answer = { answer: call, failure: failureOf(error as Error) }
    }
    // What one commit has made durable is told together, before anything else is done.
    if (answers.push(answer) === 1) process.nextTick(tell)
  }
  port.on('message', (message: Calls) => {
    if (message.calls) for (const call of message.calls) void answerTo(call)
  })
}

export interface Caller {
  /** Calls a function of the other thread; `transfer` hands buffers over instead of copying them. */
  call<Result>(name: string, args: unknown[], transfer?: ArrayBuffer[]): Promise<Result>
}

/**
 * `gather`: calls go together once in each turn of the event loop. A message costs more than most calls; but one who blocks
 * his thread right after a call wants it to go at once.
 */
export function createCaller(port: MessagePort, { gather = false } = {}): Caller {
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let calls = 0
  let gathered: { calls: Call[]; transfer: ArrayBuffer[] } = { calls: [], transfer: [] }
  port.on('message', ({ answers = [] }: Partial<Answers>) => {
    for (const answer of answers) {
      const waiter = waiting.get(answer.answer)
      if (!waiter) continue
      waiting.delete(answer.answer)
      if ('failure' in answer) waiter.reject(errorOf(answer.failure))
      else waiter.resolve(answer.value as never)
    }
  })
  port.on('close', () => {
    for (const { reject } of waiting.values()) reject(new DomainError('UNAVAILABLE', 'the service is stopping'))
    waiting.clear()
  })
  function send(): void {
    const { calls, transfer } = gathered
    gathered = { calls: [], transfer: [] }
    try {
      port.postMessage({ calls } satisfies Calls, transfer)
    } catch (error) {
      for (const { call } of calls) {
        waiting.get(call)?.reject(error as Error)
        waiting.delete(call)
      }
    }
  }
  return {
    call(name, args, transfer = []) {
      const call = calls++
      return new Promise((resolve, reject) => {
        waiting.set(call, { resolve, reject })
        gathered.transfer.push(...transfer)
        const first = gathered.calls.push({ call, name, args }) === 1
        if (!gather) send()
        else if (first) setImmediate(send)
      })
    },
  }
}

function failureOf(error: Error): Failure {
  if (!(error instanceof DomainError)) return { message: error.stack ?? error.message }
  const { code, details, retryAfter, message } = error
  return { message, domain: { code, details, retryAfter } }
}

function errorOf({ message, domain }: Failure): Error {
  if (!domain) return new Error(message)
  const { code, details, retryAfter } = domain
  return new DomainError(code, message, { details, ...(retryAfter === undefined ? {} : { retryAfter }) })
}
