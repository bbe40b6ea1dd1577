import { Connection, ConnectionPool } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { connectToAny } from '../../src/log/kafka-produce.ts'

type Directory = Parameters<typeof connectToAny>[0]['directory']

/** Says that there are no brokers until it is asked afresh. */
function forgetful(asked: (boolean | undefined)[]): Directory {
  const metadata = async ({ forceUpdate }: { forceUpdate?: boolean }) => {
    asked.push(forceUpdate)
    return { brokers: new Map(forceUpdate ? [[1, { host: '127.0.0.1', port: 1 }]] : []) }
  }
  return { metadata } as unknown as Directory
}

describe('a connection to any broker', () => {
  it('is refused while the cluster says that it has none, and asked for afresh after that', async () => {
    const asked: (boolean | undefined)[] = []
    const connection = new Connection('tests')
    const pool = new ConnectionPool('tests')
    await expect(connectToAny({ pool, directory: forgetful(asked) }, false)).rejects.toThrow(
      'the cluster has no broker that is ready',
    )
    const reaching = { getFirstAvailable: async () => connection } as unknown as ConnectionPool
    expect(await connectToAny({ pool: reaching, directory: forgetful(asked) }, true)).toBe(connection)
    expect(asked).toEqual([false, true])
  })
})
