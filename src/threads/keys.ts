import type { MessagePort } from 'node:worker_threads'
import type { Done, Keeper } from '../edge/idempotency/keys.ts'
import { createCaller, serveCalls } from './rpc.ts'

/** Lets another thread keep idempotency keys through this one's keeper, which blocks until they are on the disk. */
export function serveKeeping(port: MessagePort, keeper: Keeper): void {
  serveCalls(port, { keep: (done: Done[]) => keeper.keep(done) })
}

export function keepThrough(port: MessagePort): Keeper['keep'] {
  const caller = createCaller(port)
  return done => caller.call('keep', [done])
}
