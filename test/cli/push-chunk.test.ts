import { expect, it } from 'vitest'
import type { Sent } from '../../src/cli/client.ts'
import { pushChunk } from '../../src/cli/push/lines.ts'
import { createTally } from '../../src/cli/push/tally.ts'
import { DomainError } from '../../src/kernel/errors.ts'

const CHUNK = { bytes: Buffer.from('1\n2\n3\n4\n5\n6\n'), from: 11, count: 6, through: 100 }

/** A service that answers each request with these lines; an error among them is how the answer breaks off. */
async function push(answers: (object | Error)[][], chunk = CHUNK) {
  const sent: [key: string, body: string][] = []
  const printed: string[] = []
  const tally = createTally(10, line => printed.push(line))
  let waits = 0
  await pushChunk(
    {
      path: '/push/stream',
      key: 'k',
      tally,
      stopping: () => false,
      patience: {
        moved: () => undefined,
        async wait(error) {
          if (!(error instanceof DomainError) || error.code !== 'UNAVAILABLE') throw error
          waits++
        },
      },
      async api(_path, { headers, body }: Sent = {}) {
        sent.push([headers!['idempotency-key']!, Buffer.from(body as Uint8Array).toString()])
        const lines = answers[sent.length - 1]!
        if (lines[0] instanceof DomainError) throw lines[0]
        const encoder = new TextEncoder()
        const stream = new ReadableStream({
          async pull(controller) {
            const line = lines.shift()
            if (line instanceof Error) controller.error(line)
            else if (line) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`))
            else controller.close()
          },
        })
        return new Response(stream)
      },
    },
    chunk,
  )
  return { sent, printed, waits, reached: tally.reached }
}

const receipt = (through: number, accepted: number, rejected: number) => ({
  ...{ through, accepted, rejected },
  position: `p${through}`,
})
const summary = (accepted: number, rejected: number, more: object = {}) => ({
  ...{ request_id: 'r', accepted, rejected, errors: [], position: 'end' },
  ...more,
})
const refused = (line: number) => ({ error: { line, field: 'id', code: 'MISSING_FIELD', message: 'it is missing' } })
const cut = () => new TypeError('terminated')

it('sends the rest under another key when some of it is known to be in', async () => {
  const { sent, reached, printed } = await push([
    [refused(1), receipt(2, 1, 1), refused(3), cut()],
    [refused(1), receipt(1, 0, 1), receipt(4, 3, 1), summary(3, 1)],
  ])
  expect(sent).toEqual([
    ['k-11', '1\n2\n3\n4\n5\n6\n'],
    ['k-13', '3\n4\n5\n6\n'],
  ])
  expect(reached).toEqual({ accepted: 4, rejected: 2, lines: 16, position: 'end', bytes: 100 })
  // Each once, with its line in the file.
  expect(printed).toEqual(['line 11: id: it is missing (MISSING_FIELD)', 'line 13: id: it is missing (MISSING_FIELD)'])
})

it('sends the same under the same key when nothing is known of it, and takes the answer that was lost', async () => {
  const { sent, reached, printed, waits } = await push([
    [new DomainError('UNAVAILABLE', 'no service answers')],
    [cut()],
    [summary(5, 1, { errors: [refused(6).error] })],
  ])
  expect(sent.map(([key]) => key)).toEqual(['k-11', 'k-11', 'k-11'])
  expect(new Set(sent.map(([, body]) => body)).size).toBe(1)
  expect([reached.accepted, reached.rejected, reached.lines, waits]).toEqual([5, 1, 16, 2])
  expect(printed).toEqual(['line 16: id: it is missing (MISSING_FIELD)'])
})

it('goes on after a service that stops, from where it says it is', async () => {
  const error = { code: 'UNAVAILABLE', message: 'the service is stopping', details: [] }
  const { sent, reached } = await push([
    [receipt(5, 5, 0), summary(5, 0, { error })],
    [receipt(1, 1, 0), summary(1, 0)],
  ])
  expect(sent[1]).toEqual(['k-16', '6\n'])
  expect(reached).toMatchObject({ accepted: 6, lines: 16 })
})

it('needs no summary when all lines were told to be in', async () => {
  const { sent, reached } = await push([[receipt(6, 6, 0), cut()]])
  expect([sent.length, reached.accepted, reached.lines]).toEqual([1, 6, 16])
})

it('takes a chunk without a good row for what it is, and other errors for a failure', async () => {
  const bad = { code: 'VALIDATION_ERROR', message: 'all 6 records were refused', details: [] }
  const { reached } = await push([[receipt(6, 0, 6), summary(0, 6, { error: bad })]])
  expect(reached).toMatchObject({ accepted: 0, rejected: 6, lines: 16 })
  const failed = { code: 'INTERNAL_ERROR', message: 'something went wrong', details: [] }
  await expect(push([[summary(0, 0, { error: failed })]])).rejects.toThrow('something went wrong')
})
