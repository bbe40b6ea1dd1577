import { createRequire } from 'node:module'
import { Partitioners } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { fingerprint, murmur2, partitionOf } from '../../src/kernel/hash.ts'
import { property } from '../kit/random.ts'

const require = createRequire(import.meta.url)
const kafkaJsMurmur2: (key: Buffer) => number = require('kafkajs/src/producer/partitioners/default/murmur2.js')

describe('murmur2', () => {
  // From Apache Kafka: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('gives %s the hash that Kafka gives it', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash)
  })

  it('is the hash of kafkajs for any bytes, and of a part of a buffer as of the part alone', () =>
    property(2000, random => {
      const key = Buffer.from(Array.from({ length: random.int(40) }, () => random.int(256)))
      expect(murmur2(key)).toBe(kafkaJsMurmur2(key))
      const [before, after] = [random.int(9), random.int(9)]
      const larger = Buffer.concat([Buffer.alloc(before, 7), key, Buffer.alloc(after, 9)])
      expect(murmur2(larger, before, before + key.length)).toBe(murmur2(key))
    }))

  it('puts a key where the default partitioner of kafkajs puts it', () => {
    const partitioner = Partitioners.DefaultPartitioner()
    return property(500, random => {
      const key = Buffer.from(Array.from({ length: random.int(40) }, () => random.int(256)))
      const partitions = 1 + random.int(50)
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 1,
        replicas: [1],
        isr: [1],
      }))
      const wanted = partitioner({ topic: 't', message: { key, value: null }, partitionMetadata })
      expect(partitionOf(key, partitions)).toBe(wanted)
      const larger = Buffer.concat([Buffer.from('xyz'), key])
      expect(partitionOf(larger, partitions, 3, larger.length)).toBe(wanted)
    })
  })
})

describe('a fingerprint', () => {
  // Ids of data sets are made of it: were it to change, every link to one would break.
  it.each([
    ['', 'psc8792cj9x4w68ym4ttqzcg0s'],
    ['orders', '9584gbfy8x5ct6n6qr99kndxcx'],
    ['订单 😀', 'sf089bf31fjgs2smbvcra569eh'],
  ])('of %j is the same for ever', (text, wanted) => {
    expect(fingerprint(text)).toBe(wanted)
  })

  it('is 26 characters of base 32, and differs where names differ', () => {
    const seen = new Set<string>()
    for (let n = 0; n < 20_000; n++) {
      for (const name of [`dataset-${n}`, `${n}`, `\u4e00${n}`]) {
        const print = fingerprint(name)
        expect(print).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/)
        seen.add(print)
      }
    }
    expect(seen.size).toBe(60_000)
  })

  it('sees both bytes of every character', () => {
    expect(fingerprint('\u0141')).not.toBe(fingerprint('\u0041'))
    expect(fingerprint('ab')).not.toBe(fingerprint('ba'))
  })
})
