import { CLOSE } from '../problem.ts'

const MEANING: Record<keyof typeof CLOSE, [why: string, what: string]> = {
  shutdown: ['the service is stopping', 'connect again, continue with since'],
  failed: ['who this is could not be found out', 'connect again'],
  badMessage: ['10 messages in a row were not JSON objects with a type', 'send JSON, as text'],
  token: [
    'the token or API key has expired or was revoked (within 5 s); or the first message was no good auth, or did not come',
    'get a new token',
  ],
  scope: ['the token may not read', 'ask for one with sync:read'],
  slow: ['what it asks is answered, and it does not read the answers', 'read; connect again, continue with since'],
  tooLarge: ['a message of more than 64 KiB', 'send less'],
  rate: ['too many messages, or too many sockets without a credential, in a minute', 'wait'],
}

/** The close codes of a WebSocket: why, and what to do about it. */
export const closeCodes = Object.entries(MEANING)
  .map(([name, [why, what]]) => ({ code: CLOSE[name as keyof typeof CLOSE], why, what }))
  .sort((a, b) => a.code - b.code)
