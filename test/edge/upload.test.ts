import { describe, expect, it } from 'vitest'
import { createBodies } from '../../src/edge/bodies.ts'
import { receiveUpload } from '../../src/edge/upload.ts'
import { DomainError } from '../../src/kernel/errors.ts'
import { playExchange } from '../kit/exchange.ts'
import { BOUNDARY, FORM, FORM_END, formBody, type Part, partHead } from '../kit/forms.ts'
import { cut, property } from '../kit/random.ts'

type Keep = Parameters<typeof receiveUpload>[0]['keep']

interface Given {
  maxBytes?: number
  keep?: Keep
  headers?: Record<string, string>
}

/** The receiver alone: `deliver` gives it bytes of a body. */
function given({ maxBytes = 1_000_000, keep, headers = FORM }: Given = {}) {
  const played = playExchange(createBodies(2 ** 30)(), headers)
  const kept: Buffer[] = []
  const keptAll = { ended: false }
  const collect: Keep = async pieces => {
    for await (const piece of pieces) kept.push(Buffer.from(piece))
    keptAll.ended = true
  }
  const options = { maxBytes, idleSeconds: 60, fields: ['format', 'options'], keep: keep ?? collect }
  const done = receiveUpload({ exchange: played.exchange, ...options })
  done.catch(() => undefined)
  return { ...played, done, kept, keptAll, file: () => Buffer.concat(kept).toString() }
}

const FILE: Part = { name: 'file', filename: 'a.csv', type: 'text/csv', value: 'a,b\r\n1,2\r\n--a-boundary-7f3\r\n' }

describe('the receiver of a form', () => {
  it('takes its file and its fields, in any order and however they are cut', async () => {
    const forms = [
      formBody({ name: 'format', value: 'csv' }, { name: 'options', value: '{"é":1}' }, FILE),
      formBody(FILE, { name: 'options', value: '{"é":1}' }, { name: 'format', value: 'csv' }),
      Buffer.concat([Buffer.from('what comes before\r\n'), formBody({ name: 'format', value: 'csv' }, FILE)]),
    ]
    await property(60, async random => {
      const body = random.pick(forms)
      const { deliver, done, file, kept } = given()
      const pieces = cut([...body], random.pick([1, 40, 400, 4000]), random)
      for (const [n, piece] of pieces.entries()) deliver(Buffer.from(piece), n === pieces.length - 1)
      const { fields, filename, bytes, head } = await done
      expect([filename, bytes, file()]).toEqual(['a.csv', FILE.value.length, FILE.value])
      expect(fields).toEqual({ format: 'csv', ...(body === forms[2] ? {} : { options: '{"é":1}' }) })
      expect(head.toString()).toBe(FILE.value)
      expect(kept).toHaveLength(1)
    })
  })

  const fingerprint = async (body: Buffer, headers = FORM) => {
    const { deliver, done } = given({ headers })
    deliver(body, true)
    return (await done).fingerprint
  }

  it('knows the same form again, and any other', async () => {
    const format = { name: 'format', value: 'csv' }
    const first = await fingerprint(formBody(format, FILE))
    expect(await fingerprint(formBody(FILE, format))).toBe(first)
    const other = formBody(format, FILE).toString().replaceAll(BOUNDARY, 'other')
    expect(await fingerprint(Buffer.from(other), { 'content-type': 'multipart/form-data; boundary=other' })).toBe(first)
    const others = [
      formBody(FILE),
      formBody({ name: 'format', value: 'json' }, FILE),
      formBody({ name: 'options', value: 'csv' }, FILE),
      formBody(format, { ...FILE, value: `${FILE.value}x` }),
      formBody(format, { ...FILE, filename: 'b.csv' }),
      formBody(format, { ...FILE, value: '' }),
    ]
    const all = [first, ...(await Promise.all(others.map(body => fingerprint(body))))]
    expect(new Set(all).size).toBe(all.length)
  })

  const wrong: [name: string, body: Buffer, field: string | undefined, message: RegExp][] = [
    ['no part at all', Buffer.from(FORM_END.slice(2)), 'file', /no file/],
    ['no file', formBody({ name: 'format', value: 'csv' }), 'file', /no file/],
    ['two files', formBody(FILE, FILE), 'file', /second/],
    ['two files in one field and another', formBody(FILE, { ...FILE, name: 'more' }), 'more', /second/],
    ['a file in another field', formBody({ ...FILE, name: 'upload' }), 'upload', /goes in the field file/],
    ['a file in a field without a name', formBody({ filename: 'a', value: 'x' }), 'form', /name/],
    ['a file that is sent as a text', formBody({ name: 'file', value: 'a,b' }), 'file', /file name/],
    ['a field without a name', formBody({ value: 'x' }, FILE), 'form', /name/],
    ['an unknown field', formBody(FILE, { name: 'dataset', value: 'x' }), 'dataset', /format, options/],
    ['a field of Object.prototype', formBody({ name: 'constructor', value: 'x' }, FILE), 'constructor', /not known/],
    ['a field that comes twice', formBody(...Array(2).fill({ name: 'format', value: 'csv' }), FILE), 'format', /twice/],
    ['a field that is too long', formBody({ name: 'options', value: 'x'.repeat(65_537) }, FILE), 'options', /65536/],
    ['a part without a disposition', formBody({ head: 'X-Part: 1\r\n', value: 'x' }), 'file', /no file/],
    ['a name with a line break', formBody({ name: 'fi\nle', filename: 'a', value: 'x' }), 'file', /no file/],
    ['no end', Buffer.concat([Buffer.from(partHead(FILE)), Buffer.from('a,b')]), undefined, /cannot be read/],
    ['another boundary', Buffer.from(formBody(FILE).toString().replaceAll(BOUNDARY, 'x')), undefined, /cannot be read/],
    ['nothing', Buffer.alloc(0), undefined, /cannot be read/],
    ['a second file that is cut off', formBody(FILE, FILE).subarray(0, -20), 'file', /second/],
    ['a file in another field that is cut off', formBody({ ...FILE, name: 'x' }).subarray(0, -20), 'x', /goes in/],
    ['a field that is cut off', formBody({ name: 'format', value: 'csv' }).subarray(0, -20), undefined, /cannot/],
  ]

  it.each(wrong)('refuses a form with %s', async (_name, body, field, message) => {
    for (const size of [body.length || 1, 7]) {
      const { deliver, done } = given()
      for (let at = 0; at === 0 || at < body.length; at += size)
        deliver(body.subarray(at, at + size), at + size >= body.length)
      const error = await done.then(
        () => expect.unreachable(),
        (error: DomainError) => error,
      )
      expect([error.code, error.message]).toEqual(['VALIDATION_ERROR', expect.stringMatching(message)])
      if (field) expect(error.details[0]!.field).toBe(field)
    }
  })

  it.each([
    ['multipart/form-data', /[Bb]oundary/],
    ['multipart/form-data; boundary=', /cannot be read/],
    [`multipart/form-data; boundary=${'x'.repeat(300)}`, /256/],
  ])('refuses a form of the type %s', async (type, message) => {
    const { deliver, done } = given({ headers: { 'content-type': type } })
    deliver(formBody(FILE), true)
    await expect(done).rejects.toMatchObject({ code: 'VALIDATION_ERROR', message: expect.stringMatching(message) })
  })

  it('refuses a zipped form', async () => {
    const { done } = given({ headers: { ...FORM, 'content-encoding': 'gzip' } })
    await expect(done).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' })
  })

  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\data\\a.csv', 'a.csv'],
    ['/', 'file'],
    ['..', 'file'],
    ['', 'file'],
    ['数据 é.csv', '数据 é.csv'],
    ['a\u0000\u001b[31m.csv', 'a[31m.csv'],
    [`${'x'.repeat(300)}.csv`, 'x'.repeat(255)],
    ['😀'.repeat(200), '😀'.repeat(127)],
  ])('calls a file named %j %j', async (filename, shown) => {
    const { deliver, done } = given()
    deliver(formBody({ ...FILE, filename }), true)
    expect((await done).filename).toBe(shown)
  })

  it('cut off or left at any byte keeps nothing and ends', async () => {
    const body = formBody({ name: 'format', value: 'csv' }, FILE, { name: 'options', value: '{}' })
    const end = body.length - 2
    for (let at = 0; at < end; at++) {
      const short = given()
      short.deliver(body.subarray(0, at), true)
      await expect(short.done, `cut off at ${at}`).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
      const left = given()
      left.deliver(body.subarray(0, at), false)
      left.abort()
      await expect(left.done, `left at ${at}`).rejects.toThrow('went away')
      if (at < body.indexOf('\r\n--', body.indexOf('1,2') + 30)) expect(left.keptAll.ended).toBe(false)
    }
  })

  it('stops at a file that is too large, at once and however small its pieces are', async () => {
    for (const size of [100, 64_000]) {
      const { deliver, done } = given({ maxBytes: 1000 })
      deliver(Buffer.from(partHead(FILE)), false)
      for (let sent = 0; sent < 128_000; sent += size) deliver(Buffer.alloc(size, 'x'), false)
      await expect(done).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE', message: expect.stringContaining('1000') })
    }
    const { deliver, done } = given({ maxBytes: 1000 })
    deliver(formBody({ ...FILE, value: 'x'.repeat(1000) }), true)
    expect((await done).bytes).toBe(1000)
  })

  it('stops at a body that is too large without a file in it', async () => {
    const before = given({ maxBytes: 1000 })
    for (let n = 0; n < 40; n++) before.deliver(Buffer.alloc(64_000, '-'), false)
    await expect(before.done).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
    const after = given({ maxBytes: 1000 })
    after.deliver(formBody(FILE), false)
    for (let n = 0; n < 40; n++) after.deliver(Buffer.alloc(64_000, '-'), false)
    await expect(after.done).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
    const told = given({ maxBytes: 1000, headers: { ...FORM, 'content-length': '10000000' } })
    await expect(told.done).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
  })

  it('leaves the rest in the hands of the client while the file is kept slowly', async () => {
    const MB = 1_048_576
    let take: () => void = () => undefined
    let taken = 0
    const keep: Keep = async pieces => {
      for await (const piece of pieces) {
        taken += piece.length
        await new Promise<void>(resolve => {
          take = resolve
        })
      }
    }
    const { deliver, done, paused } = given({ keep, maxBytes: 100 * MB })
    const chunk = Buffer.alloc(65_536, 'x')
    let sent = 0
    deliver(Buffer.from(partHead(FILE)), false)
    for (let left = 40 * MB; left > 0; left -= chunk.length) {
      while (paused()) {
        take()
        await new Promise(resolve => setImmediate(resolve))
      }
      deliver(chunk, false)
      sent += chunk.length
      await new Promise(resolve => setImmediate(resolve))
      // What is on its way: a piece that is kept, one that is put together, and the buffers between.
      expect(sent - taken).toBeLessThan(2 * MB)
    }
    deliver(Buffer.from(FORM_END), true)
    const ended = done.finally(() => {
      taken = Number.POSITIVE_INFINITY
    })
    while (taken < Number.POSITIVE_INFINITY) {
      take()
      await new Promise(resolve => setImmediate(resolve))
    }
    expect((await ended).bytes).toBe(40 * MB)
  })

  it('fails as the keeping of the file fails, wherever that is', async () => {
    const reason = new DomainError('UNAVAILABLE', 'no room', { retryAfter: 5 })
    const keeps: Keep[] = [
      async () => {
        throw reason
      },
      async pieces => {
        for await (const _piece of pieces) throw reason
      },
      async pieces => {
        for await (const _piece of pieces);
        throw reason
      },
    ]
    for (const keep of keeps) {
      for (const body of [formBody(FILE), formBody({ ...FILE, value: 'x'.repeat(3_000_000) })]) {
        for (const whole of [true, false]) {
          const { deliver, done } = given({ keep, maxBytes: 10_000_000 })
          for (let at = 0; at < body.length; at += 65_536)
            deliver(body.subarray(at, at + 65_536), whole && at + 65_536 >= body.length)
          await expect(done).rejects.toBe(reason)
        }
      }
    }
  })
})
