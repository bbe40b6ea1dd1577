import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../../config.ts'

export interface Secrets {
  readonly encryptionKey: string
  readonly admin: { id: string; secret: string }
  /** Where the admin's credentials are, when this service made them. */
  readonly file: string | undefined
}

/** The secrets that were given, else those in DATA_DIR, else new ones, kept there for the owner's eyes only. */
export function loadSecrets(config: Config): Secrets {
  const encryptionKey =
    config.encryptionKey ?? kept(join(config.dataDir, 'encryption.key'), () => randomBytes(32).toString('hex'))
  if (config.adminClientId && config.adminClientSecret) {
    return { encryptionKey, admin: { id: config.adminClientId, secret: config.adminClientSecret }, file: undefined }
  }
  const file = join(config.dataDir, 'credentials.json')
  const made = () => ({
    client_id: config.adminClientId ?? `cli_${randomBytes(10).toString('hex')}`,
    client_secret: config.adminClientSecret ?? randomBytes(32).toString('base64url'),
  })
  const { client_id, client_secret } = JSON.parse(kept(file, () => `${JSON.stringify(made(), null, 2)}\n`))
  return { encryptionKey, admin: { id: client_id, secret: client_secret }, file }
}

/** A file's text, made the first time: whole or not at all, and on the disk before anything is sealed with it. */
function kept(file: string, make: () => string): string {
  if (!existsSync(file)) {
    const part = `${file}.part`
    writeFileSync(part, make(), { mode: 0o600, flush: true })
    renameSync(part, file)
    const dir = openSync(dirname(file), 'r')
    fsyncSync(dir)
    closeSync(dir)
  }
  return readFileSync(file, 'utf8')
}
