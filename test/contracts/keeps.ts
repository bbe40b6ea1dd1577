import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DomainError } from '../../src/kernel/errors.ts'
import type { FileStore } from '../../src/store/files.ts'
import { type SealedStore, type SecretStore, sealing } from '../../src/store/secrets.ts'

const KEY = Buffer.alloc(32, 7)
const SECRETS = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'x', '密码 😀 "\\', 'a\0b', '*'.repeat(5000), '']

export interface SealedContext {
  open(): Promise<SealedStore>
  /** Everything that lies on the disk, as bytes. */
  bytes(): Promise<Buffer>
  end(): Promise<void>
}

/** What every place for secrets must do. */
export function secretsContract(name: string, start: () => Promise<SealedContext>): void {
  describe(`secrets: ${name}`, () => {
    let context: SealedContext
    let sealed: SealedStore
    let secrets: SecretStore
    beforeEach(async () => {
      context = await start()
      sealed = await context.open()
      secrets = sealing(sealed, KEY)
    })
    afterEach(async () => {
      await secrets.stop()
      await context.end()
    })

    it('gives a secret back under its reference, in the next life too', async () => {
      for (const [n, secret] of SECRETS.entries()) await secrets.put(`sec_${n}`, secret)
      for (let life = 0; life < 2; life++) {
        for (const [n, secret] of SECRETS.entries()) expect(await secrets.get(`sec_${n}`)).toBe(secret)
        await secrets.stop()
        sealed = await context.open()
        secrets = sealing(sealed, KEY)
      }
    })

    it('knows nothing of a reference that was never given out, or was removed', async () => {
      await secrets.put('sec_a', 'one')
      await secrets.remove('sec_a')
      await secrets.remove('sec_never')
      expect(await secrets.get('sec_a')).toBeUndefined()
      expect(await secrets.get('sec_never')).toBeUndefined()
    })

    it('keeps the last of two under one reference', async () => {
      await secrets.put('sec_a', 'one')
      await secrets.put('sec_a', 'two')
      expect(await secrets.get('sec_a')).toBe('two')
    })

    it('opens with its own key alone, and no error says what was sealed', async () => {
      await secrets.put('sec_a', 'the secret itself')
      const other = sealing(sealed, Buffer.alloc(32, 8))
      const error = await other.get('sec_a').catch(reason => reason)
      expect(error).toBeInstanceOf(Error)
      expect(error.message).toMatch(/sec_a.*ENCRYPTION_KEY/)
      expect(`${error.stack}${JSON.stringify(error)}`).not.toContain('the secret itself')
    })

    it('does not open when a byte of it was altered, or when it was cut', async () => {
      await secrets.put('sec_a', 'one')
      const bytes = Buffer.from((await sealed.get('sec_a'))!)
      const lengths = Array.from(bytes.keys())
      const altered = lengths.map(at =>
        Buffer.concat([bytes.subarray(0, at), Buffer.from([bytes[at]! ^ 1]), bytes.subarray(at + 1)]),
      )
      const cut = lengths.map(length => bytes.subarray(0, length))
      for (const [n, wrong] of [...altered, ...cut, Buffer.concat([bytes, bytes])].entries()) {
        await sealed.remove('sec_a')
        await sealed.put('sec_a', wrong)
        await expect(secrets.get('sec_a'), `case ${n}`).rejects.toThrow(/sec_a cannot be opened/)
      }
    })

    it('does not open under another reference', async () => {
      await secrets.put('sec_a', 'one')
      await sealed.put('sec_b', (await sealed.get('sec_a'))!)
      await expect(secrets.get('sec_b')).rejects.toThrow(/sec_b/)
      expect(await secrets.get('sec_a')).toBe('one')
    })

    it('seals the same secret differently each time', async () => {
      await secrets.put('sec_a', 'one')
      await secrets.put('sec_b', 'one')
      expect(Buffer.from((await sealed.get('sec_a'))!).equals((await sealed.get('sec_b'))!)).toBe(false)
    })

    it('leaves nothing readable on the disk', async () => {
      const secret = 'correct horse battery staple'
      await secrets.put('sec_readable', secret)
      const shapes = [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')]
      const before = await context.bytes()
      await secrets.remove('sec_readable')
      await secrets.stop()
      const after = await context.bytes()
      sealed = await context.open()
      secrets = sealing(sealed, KEY)
      expect(before.includes('sec_readable')).toBe(true)
      for (const shape of shapes) expect([before.includes(shape), after.includes(shape)]).toEqual([false, false])
    })
  })
}

export interface FilesContext {
  open(): Promise<FileStore>
  /** The ids of what is there, whole or not. */
  ids(): Promise<string[]>
  end(): Promise<void>
}

async function* piecesOf(...pieces: (string | Buffer | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece
    yield Buffer.from(piece)
  }
}

/** What every place for files must do. */
export function filesContract(name: string, start: () => Promise<FilesContext>): void {
  describe(`files: ${name}`, () => {
    let context: FilesContext
    let files: FileStore
    beforeEach(async () => {
      context = await start()
      files = await context.open()
    })
    afterEach(async () => {
      await files.stop()
      await context.end()
    })

    async function read(id: string): Promise<Buffer> {
      const opened = await files.open(id)
      const bytes = readFileSync(opened.path)
      await opened.close()
      return bytes
    }
    const missing = { code: 'NOT_FOUND', message: expect.stringContaining('file_') }

    it('gives back what was written, in one piece or many, in the next life too', async () => {
      const large = Buffer.alloc(3_000_000, 'ä\0\r\n1')
      const cases: [string, (string | Buffer)[]][] = [
        ['file_1', ['one']],
        ['file_2', ['one', '', 'two\n', Buffer.from([0, 255])]],
        ['file_3', [large.subarray(0, 1_048_576), large.subarray(1_048_576)]],
        ['file_4', Array.from({ length: 12 }, (_, n) => `${n}\n`)],
      ]
      for (const [id, pieces] of cases) await files.write(id, piecesOf(...pieces))
      for (let life = 0; life < 2; life++) {
        for (const [id, pieces] of cases) {
          expect((await read(id)).equals(Buffer.concat(pieces.map(piece => Buffer.from(piece))))).toBe(true)
        }
        await files.stop()
        files = await context.open()
      }
    })

    it('keeps a file without content', async () => {
      await files.write('file_1', piecesOf())
      await files.write('file_2', piecesOf(''))
      expect([await read('file_1'), await read('file_2')]).toEqual([Buffer.alloc(0), Buffer.alloc(0)])
    })

    it.each([0, 1, 3])('keeps nothing of one whose sender fails after %i pieces, and says why', async count => {
      const failure = new DomainError('PAYLOAD_TOO_LARGE', 'file: it is larger than 3 bytes')
      const written = files.write('file_1', piecesOf(...Array(count).fill('piece'), failure))
      await expect(written).rejects.toBe(failure)
      expect(await context.ids()).toEqual([])
      await expect(files.open('file_1')).rejects.toMatchObject(missing)
      await files.write('file_1', piecesOf('again'))
      expect((await read('file_1')).toString()).toBe('again')
    })

    it('says of an id that is unknown, or was removed, that there is no such file', async () => {
      await files.write('file_1', piecesOf('one'))
      await files.write('file_2', piecesOf('two'))
      await files.remove('file_1')
      await files.remove('file_9')
      for (const id of ['file_1', 'file_9']) await expect(files.open(id)).rejects.toMatchObject(missing)
      expect(await context.ids()).toEqual(['file_2'])
    })

    it('removes what is older than an id, and no more', async () => {
      for (const id of ['file_1', 'file_2', 'file_3']) await files.write(id, piecesOf(id, 'more'))
      await files.removeBefore('file_2')
      expect(await context.ids()).toEqual(['file_2', 'file_3'])
      expect((await read('file_2')).toString()).toBe('file_2more')
    })

    it('takes several at once, and opens one several times at once', async () => {
      const ids = Array.from({ length: 8 }, (_, n) => `file_${n}`)
      await Promise.all(ids.map(id => files.write(id, piecesOf(id, id, id))))
      const all = await Promise.all([...ids, ...ids].map(read))
      expect(all.map(String)).toEqual([...ids, ...ids].map(id => id.repeat(3)))
    })
  })
}
