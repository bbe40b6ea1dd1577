import { type Logger, pino } from 'pino'

export type { Logger }

/**
 * One JSON line an entry, on standard error: standard output belongs to the line that says the service is ready.
 * Entries are a constant sentence with fields; never a payload, never a credential (`redact` is the second net).
 */
export function createLogger(level: string): Logger {
  const paths = ['authorization', 'token', 'secret', 'client_secret', 'key', 'password', '*.authorization', '*.token']
  return pino({ level, base: undefined, redact: paths }, pino.destination({ dest: 2, sync: true }))
}
