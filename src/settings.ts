import { isHostAndPort, withoutPassword } from './kernel/address.ts'
import { DomainError } from './kernel/errors.ts'

/*
 * The kinds of settings: each reads the text of an environment variable, and refuses what it cannot be.
 */

export interface Setting<T> {
  readonly env: string
  /** What `--help` and the README show; the value itself when it is a plain one. */
  readonly shown: string
  readonly about: string
  readonly read: (text: string | undefined) => T
}

export function text(env: string, fallback: string, about: string): Setting<string> {
  return { env, shown: fallback || 'none', about, read: given => given || fallback }
}

export function optional(env: string, shown: string, about: string): Setting<string | undefined> {
  return { env, shown, about, read: given => given || undefined }
}

export function whole(
  env: string,
  fallback: number,
  about: string,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): Setting<number> {
  return {
    env,
    shown: String(fallback),
    about,
    read(given) {
      if (given === undefined || given === '') return fallback
      const value = Number(given)
      if (Number.isSafeInteger(value) && value >= min && value <= max) return value
      throw new DomainError(
        'VALIDATION_ERROR',
        `${env}=${given}: expected a whole number from ${min} to ${max} (${about})`,
      )
    },
  }
}

export function brokers(env: string, shown: string, about: string): Setting<readonly string[]> {
  return {
    env,
    shown,
    about,
    read(given = '') {
      const parts = given.split(',').map(part => part.trim())
      const addresses = parts.filter(Boolean)
      if (addresses.every(isHostAndPort)) return addresses
      throw wrongAddress(env, parts.map(withoutPassword).join(','), 'host:port, or several of them with commas between')
    },
  }
}

/** Free text of a certain form; `like` says which. */
export function like(env: string, is: (text: string) => boolean, like: string, about: string): Setting<string> {
  return {
    env,
    shown: 'none',
    about,
    read(given = '') {
      if (is(given)) return given
      throw new DomainError('VALIDATION_ERROR', `${env}=${given.slice(0, 200)}: expected ${like} (${about})`)
    },
  }
}

/** The address of a server; `like` shows how it is spelled. */
export function address(
  env: string,
  is: (text: string) => boolean,
  like: string,
  shown: string,
  about: string,
): Setting<string | undefined> {
  return {
    env,
    shown,
    about,
    read(given) {
      if (!given) return undefined
      if (is(given)) return given
      throw wrongAddress(env, withoutPassword(given), `${like}, with %40 for @ and the like in a password`)
    },
  }
}

/** `shown` is the value without what may be a password. */
function wrongAddress(env: string, shown: string, expected: string): DomainError {
  return new DomainError('VALIDATION_ERROR', `${env}=${shown}: expected ${expected}`)
}

export function choice<T extends string>(env: string, values: readonly T[], fallback: T, about: string): Setting<T> {
  return {
    env,
    shown: fallback,
    about: `${about}: ${values.join(', ')}`,
    read(given) {
      const value = (given || fallback) as T
      if (values.includes(value)) return value
      throw new DomainError('VALIDATION_ERROR', `${env}=${given}: expected one of ${values.join(', ')} (${about})`)
    },
  }
}

export function hexKey(env: string, shown: string, about: string): Setting<string | undefined> {
  return {
    env,
    shown,
    about,
    read(given) {
      if (!given || /^[0-9a-fA-F]{64}$/.test(given)) return given || undefined
      throw new DomainError(
        'VALIDATION_ERROR',
        `${env}: expected 64 hexadecimal digits, got ${given.length} characters`,
      )
    },
  }
}
