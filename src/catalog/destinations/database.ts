import { checkFolder } from '../reach/folder.ts'
import { checkHost } from '../reach/host.ts'
import { databaseConfig, databaseSecrets, isSqlite, sqlitePath, writingOf } from './database/config.ts'
import { parsePostgresAddress } from './database/postgres/address.ts'
import { openDatabaseSink } from './database/sink.ts'
import { openSqlite } from './database/sqlite.ts'
import { defineDestination } from './destination.ts'

export const database = defineDestination({
  type: 'database',
  summary: 'A table of a PostgreSQL or SQLite database, which is made and made wider as the rows need it.',
  config: databaseConfig,
  secrets: databaseSecrets,
  async check({ url }, { guard, folders }) {
    if (isSqlite(url)) checkFolder(sqlitePath(url), folders, 'url')
    else await checkHost(parsePostgresAddress(url).host, 'url', guard)
  },
  async open(config, context) {
    const { url, table } = config
    // Whoever has no such job carries no client.
    const open = isSqlite(url) ? openSqlite : (await import('./database/postgres.ts')).openPostgres
    const { connection, target } = await open(url, table, context)
    try {
      return await openDatabaseSink({ connection, target, writing: writingOf(config), context })
    } catch (error) {
      await connection.stop()
      throw error
    }
  },
})
