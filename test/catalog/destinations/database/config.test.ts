import { describe, expect, it } from 'vitest'
import { destinationOf } from '../../../../src/catalog/destinations/index.ts'

const database = destinationOf('database')!

/** The paths of what is wrong with a configuration. */
function wrong(more: object): string[] {
  const base = { type: 'database', url: 'postgres://u:p@host/db', table: 't' }
  const result = database.config.safeParse({ ...base, ...more })
  return result.success ? [] : result.error.issues.map(({ path }) => path.join('.'))
}

describe('the configuration of a database', () => {
  it('takes what it should', () => {
    expect(wrong({})).toEqual([])
    expect(wrong({ url: 'postgresql://host/db' })).toEqual([])
    expect(wrong({ url: 'sqlite:///tmp/x.db', table: 'a.b"c' })).toEqual([])
    expect(wrong({ table: 'sales.orders', mode: 'scd2', key_columns: ['id'], on_delete: 'soft' })).toEqual([])
    expect(wrong({ mode: 'replace', on_delete: 'hard' })).toEqual([])
  })

  it('has upsert for its mode with key columns, append without', () => {
    const mode = (more: object) =>
      (database.config.parse({ type: 'database', url: 'sqlite:///x', table: 't', ...more }) as { mode: string }).mode
    expect(mode({})).toBe('append')
    expect(mode({ key_columns: ['id'] })).toBe('upsert')
    expect(mode({ key_columns: ['id'], mode: 'replace' })).toBe('replace')
  })

  it.each([
    ['key_columns', { mode: 'upsert' }],
    ['key_columns', { mode: 'insert_only' }],
    ['key_columns', { mode: 'scd2' }],
    ['key_columns', { key_columns: [] }],
    ['key_columns', { key_columns: ['a', 'a'] }],
    ['key_columns.0', { key_columns: ['valid_from'], mode: 'scd2' }],
    ['key_columns.1', { key_columns: ['id', 'deleted_at'], on_delete: 'soft' }],
    ['key_columns.0', { key_columns: ['é'.repeat(32)] }],
    ['on_delete', { on_delete: 'soft' }],
    ['on_delete', { on_delete: 'soft', mode: 'replace' }],
    ['on_delete', { on_delete: 'hard', mode: 'insert_only', key_columns: ['id'] }],
    ['table', { table: '' }],
    ['table', { table: 'a\0b' }],
    ['table', { table: 'é'.repeat(32) }],
    ['table', { table: `s.${'x'.repeat(64)}` }],
    ['table', { table: 'superinsight.jobs' }],
    ['table', { table: 'pg_catalog.pg_class' }],
    ['table', { table: 'information_schema.tables' }],
    ['table', { table: '_superinsight_sinks' }],
    ['table', { table: 'public._superinsight_sinks' }],
    ['table', { table: 'sqlite_master', url: 'sqlite:///x' }],
    ['url', { url: 'mysql://host/db' }],
    ['url', { url: 'sqlite://relative.db' }],
    ['url', { url: 'file:///etc/passwd' }],
    ['', { tabel: 'x' }],
  ])('names %s in %j', (path, more) => {
    expect(wrong(more)).toEqual([path])
  })

  it('has a secret wherever there may be a password', () => {
    const secrets = (url: string) => database.secrets!({ url })
    const secret = [
      'postgres://u:p@h/db',
      'postgresql://u:p@w@h/db',
      'postgres://u:%zz@h/db',
      'postgres://h/db?password=x',
      'u:p@h',
    ]
    for (const url of secret) expect([url, secrets(url)]).toEqual([url, [['url']]])
    const open = ['postgres://h/db', 'postgres://u@h:5432/db', 'sqlite:///a@b:c@/pass.db']
    for (const url of open) expect([url, secrets(url)]).toEqual([url, []])
    for (const config of [null, undefined, 'x', { url: 7 }, {}]) expect(database.secrets!(config)).toEqual([])
  })
})
