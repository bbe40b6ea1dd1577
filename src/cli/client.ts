import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { DomainError } from '../kernel/errors.ts'

/** Where the service of this configuration answers. */
export function serviceUrl({ host, port }: Config): string {
  return `http://${host}:${port}/v1/sync`
}

/** An access token for the first client, whose credentials the service keeps in DATA_DIR. */
export async function fetchToken(config: Config): Promise<string> {
  const answer = await fetch(`${serviceUrl(config)}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ grant_type: 'client_credentials', ...credentials(config) }),
  }).catch(error => {
    throw new DomainError('UNAVAILABLE', `no service answers at ${serviceUrl(config)}: ${(error as Error).message}`)
  })
  const body = (await answer.json()) as { access_token?: string; error?: { message: string } }
  if (body.access_token) return body.access_token
  throw new DomainError('UNAUTHORIZED', `no token: ${body.error?.message ?? answer.status}`)
}

function credentials({ adminClientId, adminClientSecret, dataDir }: Config): object {
  if (adminClientId && adminClientSecret) return { client_id: adminClientId, client_secret: adminClientSecret }
  const file = join(dataDir, 'credentials.json')
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new DomainError(
      'UNAUTHORIZED',
      `${file} cannot be read: ${(error as Error).message}; is DATA_DIR the service's?`,
    )
  }
}
