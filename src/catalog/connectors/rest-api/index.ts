import { checkHost } from '../../reach/host.ts'
import { defineConnector } from '../connector.ts'
import { auths } from './auth/index.ts'
import { config } from './config.ts'
import { secretsOf } from './secrets.ts'
import { readState } from './state.ts'

/** JSON from HTTP: every page of every endpoint, one after the other. */
export const restApi = defineConnector({
  type: 'rest_api',
  summary:
    'Takes rows from HTTP endpoints that answer JSON, page by page: all of them, or what is new since the last run.',
  config,
  secrets: secretsOf,
  pagesMayShift: true,
  begin(last) {
    const { cursors } = readState(last)
    return Object.keys(cursors).length === 0 ? undefined : { cursors }
  },
  servers: ({ base_url, auth }) => addressesOf(base_url, auth).map(([, address]) => new URL(address).origin),
  whole: ({ endpoints }) => endpoints.every(({ cursor_field }) => cursor_field === undefined),
  async *pull(config, state, context) {
    // Whoever has no such job carries no client.
    const { pull } = await import('./pull.ts')
    yield* pull(config, state, context)
  },
  async check({ base_url, auth }, { guard }) {
    for (const [field, address] of addressesOf(base_url, auth)) await checkHost(new URL(address).hostname, field, guard)
  },
})

/** Every address that a configuration names, with its field. */
function addressesOf(base_url: string, auth: { type: string }): [field: string, address: string][] {
  const { addresses = [] } = auths.find(({ type }) => type === auth.type) ?? {}
  const fields = auth as unknown as Record<string, string>
  return [['base_url', base_url], ...addresses.map((field): [string, string] => [`auth.${field}`, fields[field]!])]
}
