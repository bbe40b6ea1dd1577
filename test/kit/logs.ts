import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { openKafkaLog } from '../../src/log/kafka.ts'
import type { Log } from '../../src/log/log.ts'

/** Opens the log that a text names: `embedded:<file>` or `kafka:<brokers>,<registry url>`. */
export async function openLogAt(where: string): Promise<Log> {
  const [kind, rest] = [where.slice(0, where.indexOf(':')), where.slice(where.indexOf(':') + 1)]
  if (kind === 'embedded') return openEmbeddedLog({ file: rest })
  const [broker, registryUrl] = rest.split(',') as [string, string]
  return openKafkaLog({
    brokers: [broker],
    registryUrl,
    schemaCache: join(mkdtempSync(join(tmpdir(), 'sync-schemas-')), 'schemas.json'),
    clientId: 'tests',
    timeoutMs: 5000,
    sessionMs: 6000,
    maxPendingBytes: 64 * 1024 * 1024,
  })
}
