import type { MessagePort } from 'node:worker_threads'
import type { Consumed, EventBatch, Log } from '../log/log.ts'
import { createCaller, serveCalls } from './rpc.ts'

/** Lets another thread append through this one's log. */
export function serveAppends(port: MessagePort, log: Log): void {
  serveCalls(port, {
    append: (batches: EventBatch[], consumed: Consumed | undefined) =>
      log.append(batches, consumed ? { consumed } : {}),
    own: (group: string, stream: Consumed['stream']) => log.own(group, stream),
  })
}

/** `log`, but with its appends made by the thread behind `port`, whose group commit they share. */
export function appendThrough(port: MessagePort, log: Log): Log {
  const caller = createCaller(port)
  return {
    ...log,
    append: (batches, { consumed } = {}) => {
      const transfer = batches.map(batch => batch.bytes.buffer)
      return caller.call('append', [batches, consumed], transfer)
    },
    own: (group, stream) => caller.call('own', [group, stream]),
  }
}
