import { vi } from 'vitest'
import type { Log } from '../../src/log/log.ts'
import { events, SPEC } from './events.ts'

/** Has an embedded log take what is past a topic's retention: all that it holds. The time goes by, and after a commit it looks. */
export async function retain(log: Log, topic: string): Promise<void> {
  await log.declare(
    [
      { ...SPEC, name: topic, retention_ms: 1000 },
      { ...SPEC, name: 'other' },
    ],
    {},
  )
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() + 61_000)
  await log.append([events('other', ['k', 'v'])]).finally(() => vi.useRealTimers())
}
