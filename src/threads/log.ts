import type { MessagePort } from 'node:worker_threads'
import type { Consumed, EventBatch, Log } from '../log/log.ts'
import { createCaller, serveCalls } from './rpc.ts'

/** Lets another thread append through this one's log. */
export function serveAppends(port: MessagePort, log: Log): void {
  serveCalls(port, {
    async append(batches: EventBatch[], consumed: Consumed | undefined) {
      const position = await log.append(batches, consumed ? { consumed } : {})
      // They came with the call and nobody else has them. V8 would let 64 MB of them gather before it looks.
      for (const { bytes } of batches) bytes.buffer.transfer(0)
      return position
    },
    own: (group: string, stream: Consumed['stream']) => log.own(group, stream),
  })
}

/**
 * `log`, but with its appends made by the thread behind `port`, whose group commit they share. `gather`: those of one turn
 * of the event loop go there together.
 */
export function appendThrough(port: MessagePort, log: Log, gather: { gather?: boolean } = {}): Log {
  const caller = createCaller(port, gather)
  return {
    ...log,
    append: (batches, { consumed } = {}) => {
      const transfer = batches.map(batch => batch.bytes.buffer)
      return caller.call('append', [batches, consumed], transfer)
    },
    own: (group, stream) => caller.call('own', [group, stream]),
  }
}
