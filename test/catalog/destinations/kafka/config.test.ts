import { describe, expect, it } from 'vitest'
import { destinationOf } from '../../../../src/catalog/destinations/index.ts'
import { openSink } from '../../../kit/sinks.ts'

const kafka = destinationOf('kafka')!

describe('the configuration of a topic', () => {
  it.each(['orders', 'a.b-c_D', 'sync', 'syncs.x', '_x', 'x'.repeat(249)])('takes %s', topic => {
    expect(kafka.config.safeParse({ type: 'kafka', topic }).success).toBe(true)
  })

  it.each(['', '.', '..', 'sync.records', 'sync.', '__consumer_offsets', 'a b', 'ä', 'a/b', 'x'.repeat(250)])(
    'refuses %j',
    topic => {
      const result = kafka.config.safeParse({ type: 'kafka', topic })
      expect(result.error?.issues.map(({ path }) => path.join('.'))).toContain('topic')
    },
  )

  it('is of no use without a Kafka', async () => {
    await expect(openSink({ type: 'kafka', topic: 't' })).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      message: expect.stringContaining('KAFKA_BROKERS'),
    })
  })
})
