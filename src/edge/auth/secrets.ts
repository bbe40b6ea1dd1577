import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../../config.ts'
import { DomainError } from '../../kernel/errors.ts'

export interface Secrets {
  readonly encryptionKey: string
  readonly admin: { id: string; secret: string }
  /** Where the admin's credentials are, when this service made them. */
  readonly file: string | undefined
}

/** The secrets that were given, else those in DATA_DIR, else new ones, kept there for the owner's eyes only. */
export function loadSecrets(config: Config): Secrets {
  const encryptionKey = config.encryptionKey ?? keptKey(join(config.dataDir, 'encryption.key'))
  if (config.adminClientId && config.adminClientSecret) {
    return { encryptionKey, admin: { id: config.adminClientId, secret: config.adminClientSecret }, file: undefined }
  }
  const file = join(config.dataDir, 'credentials.json')
  const made = () => ({
    client_id: config.adminClientId ?? `cli_${randomBytes(10).toString('hex')}`,
    client_secret: config.adminClientSecret ?? randomBytes(32).toString('base64url'),
  })
  const { client_id, client_secret } = parsed(
    file,
    kept(file, () => `${JSON.stringify(made(), null, 2)}\n`),
  )
  // What is given now counts, whatever was given or made at the first start.
  return {
    encryptionKey,
    admin: { id: config.adminClientId ?? client_id, secret: config.adminClientSecret ?? client_secret },
    file,
  }
}

/** A key that is not whole would be read as a shorter one, down to none: nobody may start with that. */
function keptKey(file: string): string {
  const key = kept(file, () => randomBytes(32).toString('hex')).trim()
  if (/^[0-9a-fA-F]{64}$/.test(key)) return key
  throw new DomainError('VALIDATION_ERROR', `${file}: expected 64 hexadecimal digits, found ${key.length} characters`)
}

function parsed(file: string, text: string): { client_id: string; client_secret: string } {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DomainError('VALIDATION_ERROR', `${file}: is not JSON: ${(error as Error).message}`)
  }
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
