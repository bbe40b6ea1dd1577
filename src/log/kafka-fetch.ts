import { type Connection, fetchV12, type Reader, Writer } from '@platformatic/kafka'

const READ_COMMITTED = 1
/** No incremental fetch session (KIP-227): each request names the one partition it wants. */
const NO_SESSION = { id: 0, epoch: -1 }

export interface FetchRequest {
  topic: string
  partition: number
  /** The first offset wanted. */
  offset: number
  maxBytes: number
  /** How long the broker may wait for news. */
  maxWaitMs: number
}

/** A transaction that was aborted: its producer's batches from `firstOffset` on are void, up to its abort marker. */
export interface Aborted {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface Fetched {
  /** Of the protocol's error codes; 0 is none. */
  readonly errorCode: number
  readonly aborted: readonly Aborted[]
  /** Whole record batches one after the other, and perhaps the beginning of another. */
  readonly records: Buffer
}

/**
 * One Fetch request, version 12 (Kafka protocol guide), for one partition. The records stay the bytes they came as:
 * the client library would make ten objects of each.
 */
export function fetchRecords(connection: Connection, request: FetchRequest): Promise<Fetched> {
  const { topic, partition, offset, maxBytes, maxWaitMs } = request
  const createPayload = () =>
    Writer.create()
      .appendInt32(-1) // no replica
      .appendInt32(maxWaitMs)
      .appendInt32(1) // bytes that are news enough
      .appendInt32(maxBytes)
      .appendInt8(READ_COMMITTED)
      .appendInt32(NO_SESSION.id)
      .appendInt32(NO_SESSION.epoch)
      .appendArray([topic], (topics, name) => {
        topics.appendString(name).appendArray([partition], (partitions, number) => {
          partitions
            .appendInt32(number)
            .appendInt32(-1) // whatever leader epoch
            .appendInt64(BigInt(offset))
            .appendInt32(-1)
            .appendInt64(-1n)
            .appendInt32(maxBytes)
        })
      })
      .appendArray([], () => undefined)
      .appendString('')
      .appendTaggedFields()
  const { key, version } = fetchV12.api
  return new Promise((resolve, reject) => {
    const parse = (_id: number, _key: number, _version: number, reader: Reader) => parseFetched(reader)
    connection.send(key, version, createPayload, parse, true, true, (error, fetched) => {
      if (error) reject(error)
      else resolve(fetched as Fetched)
    })
  })
}

function parseFetched(reader: Reader): Fetched {
  reader.readInt32() // throttled for so long
  const errorCode = reader.readInt16()
  reader.readInt32() // session
  const [of] = reader.readArray(topics => {
    topics.readString()
    return topics.readArray(parsePartition)
  }) as Fetched[][]
  const found = of?.[0]
  if (errorCode !== 0 || !found) return { errorCode: errorCode || -1, aborted: [], records: Buffer.alloc(0) }
  return found
}

function parsePartition(reader: Reader): Fetched {
  reader.readInt32() // its number
  const errorCode = reader.readInt16()
  reader.readInt64() // high watermark
  reader.readInt64() // last stable offset
  reader.readInt64() // log start
  const aborted = reader.readNullableArray(each => ({
    producerId: each.readInt64(),
    firstOffset: Number(each.readInt64()),
  })) as Aborted[] | null
  reader.readInt32() // preferred replica
  return { errorCode, aborted: aborted ?? [], records: reader.readBytes() }
}
