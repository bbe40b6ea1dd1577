import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { openFileDirectory } from '../../src/store/files-directory.ts'
import { openPostgresFiles, openPostgresSecrets } from '../../src/store/keeps-postgres.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { openSqliteSecrets } from '../../src/store/secrets-sqlite.ts'
import { filesContract, secretsContract } from '../contracts/keeps.ts'
import { createDatabase, runSql } from '../kit/postgres.ts'
import { run, until } from '../kit/processes.ts'

const url = inject('postgres')
const temporary = () => mkdtempSync(join(tmpdir(), 'sync-keeps-'))
const WRITER = fileURLToPath(new URL('../kit/write-for-ever.ts', import.meta.url))

secretsContract('sqlite', async () => {
  const dir = temporary()
  return {
    open: async () => openSqliteSecrets(join(dir, 'secrets.db')),
    bytes: async () => Buffer.concat(readdirSync(dir).map(name => readFileSync(join(dir, name)))),
    end: async () => rmSync(dir, { recursive: true }),
  }
})

filesContract('directory', async () => {
  const dir = temporary()
  return {
    open: async () => openFileDirectory(dir),
    ids: async () => readdirSync(dir).sort(),
    end: async () => rmSync(dir, { recursive: true }),
  }
})

describe('a directory of files', () => {
  it('is for its owner alone, and so are its files', async () => {
    const dir = join(temporary(), 'files')
    const files = openFileDirectory(dir)
    await files.write('file_1', [Buffer.from('one')] as unknown as AsyncIterable<Uint8Array>)
    expect([statSync(dir).mode & 0o777, statSync(join(dir, 'file_1')).mode & 0o777]).toEqual([0o700, 0o600])
  })

  it('forgets what was still coming in when its process was killed, and keeps the rest', async () => {
    const dir = temporary()
    const writer = run(process.execPath, [WRITER, dir, 'file_1'])
    const part = join(dir, 'file_1.part')
    await until('some of the file to be there', () => existsSync(part) && statSync(part).size > 200_000)
    await writer.end('SIGKILL')
    expect(readdirSync(dir).sort()).toEqual(['file_1-whole', 'file_1.part'])
    writeFileSync(join(dir, 'file_0.part'), 'of an earlier life')
    const files = openFileDirectory(dir)
    expect(readdirSync(dir)).toEqual(['file_1-whole'])
    await expect(files.open('file_1')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(readFileSync((await files.open('file_1-whole')).path, 'utf8')).toBe('whole')
    rmSync(dir, { recursive: true })
  })
})

describe.skipIf(!url)('over PostgreSQL', () => {
  // One database for all of them; the tables are emptied between tests.
  let shared: Awaited<ReturnType<typeof createDatabase>>
  beforeAll(async () => {
    shared = await createDatabase(url!)
    const store = openPostgresStore({ url: shared.url })
    await store.declare([])
    await store.stop()
  })
  afterAll(() => shared.drop())

  async function ask(sql: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: shared.url })
    await client.connect()
    const { rows } = await client.query(sql)
    await client.end()
    return rows
  }

  secretsContract('postgres', async () => ({
    open: async () => openPostgresSecrets(shared.url),
    async bytes() {
      await runSql(shared.url, 'checkpoint')
      const [row] = await ask("select pg_read_binary_file(pg_relation_filepath('superinsight.secrets')) as bytes")
      return row!.bytes as Buffer
    },
    end: () => runSql(shared.url, 'truncate superinsight.secrets'),
  }))

  filesContract('postgres', async () => ({
    open: async () => openPostgresFiles(shared.url),
    ids: async () =>
      (await ask('select distinct id from superinsight.files order by id')).map(({ id }) => id as string),
    end: () => runSql(shared.url, 'truncate superinsight.files'),
  }))

  it('a file that was open leaves nothing on the disk once it is closed', async () => {
    const files = openPostgresFiles(shared.url)
    await files.write('file_1', [Buffer.from('one')] as unknown as AsyncIterable<Uint8Array>)
    const opened = await files.open('file_1')
    expect([existsSync(opened.path), statSync(opened.path).mode & 0o777]).toEqual([true, 0o600])
    await opened.close()
    expect(existsSync(join(opened.path, '..'))).toBe(false)
    await files.stop()
  })

  it('a database that is away is UNAVAILABLE, and its password is in no error', async () => {
    const away = new URL(shared.url)
    away.password = 's3cret'
    const [secrets, files] = [openPostgresSecrets(away.href), openPostgresFiles(away.href)]
    const pieces = [Buffer.from('one')] as unknown as AsyncIterable<Uint8Array>
    const asked: (() => Promise<unknown>)[] = [
      () => secrets.put('sec_1', Buffer.from('sealed')),
      () => secrets.get('sec_1'),
      () => secrets.remove('sec_1'),
      () => files.write('file_1', pieces),
      () => files.open('file_1'),
      () => files.remove('file_1'),
      () => files.removeBefore('file_1'),
    ]
    for (const ask of asked) {
      const error: Error = await ask().then(String, reason => reason)
      expect(error).toMatchObject({ code: 'UNAVAILABLE' })
      expect(`${error.message}${error.stack}`).not.toContain('s3cret')
    }
    await Promise.all([secrets.stop(), files.stop()])
  })
})
