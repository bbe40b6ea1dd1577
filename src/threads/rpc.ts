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

type Answer = { answer: number; value: unknown } | { answer: number; failure: Failure }

/** Answers calls that come in on `port` from `handlers`, by name. */
export function serveCalls(port: MessagePort, handlers: Readonly<Record<string, Handler>>): void {
  port.on('message', async (message: Call) => {
    if (message.call === undefined) return
    let answer: Answer
    try {
      answer = { answer: message.call, value: await handlers[message.name]!(...(message.args as never[])) }
    } catch (error) {
      answer = { answer: message.call, failure: failureOf(error as Error) }
    }
    port.postMessage(answer)
  })
}

export interface Caller {
  /** Calls a function of the other thread; `transfer` hands buffers over instead of copying them. */
  call<Result>(name: string, args: unknown[], transfer?: ArrayBuffer[]): Promise<Result>
}

export function createCaller(port: MessagePort): Caller {
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let calls = 0
  port.on('message', (message: Answer) => {
    const waiter = waiting.get(message.answer)
    if (!waiter) return
    waiting.delete(message.answer)
    if ('failure' in message) waiter.reject(errorOf(message.failure))
    else waiter.resolve(message.value as never)
  })
  port.on('close', () => {
    for (const { reject } of waiting.values()) reject(new DomainError('UNAVAILABLE', 'the service is stopping'))
    waiting.clear()
  })
  return {
    call(name, args, transfer = []) {
      const call = calls++
      return new Promise((resolve, reject) => {
        waiting.set(call, { resolve, reject })
        port.postMessage({ call, name, args } satisfies Call, transfer)
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
