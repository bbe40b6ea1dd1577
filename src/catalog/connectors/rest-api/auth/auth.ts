import type { z } from 'zod'
import type { SecretPath } from '../../../secrets.ts'
import type { Answer } from '../http/client.ts'

/** A way to prove to a source who asks. To add one: a file here with such an object, and a line in index.ts. */
export interface Auth<Config extends z.ZodObject = z.ZodObject> {
  readonly type: string
  readonly summary: string
  /** What a job says under `auth`, `type` included. */
  readonly config: Config
  /** Fields that nobody may read back. */
  readonly secrets: readonly string[]
  /** Fields with addresses that it connects to. */
  readonly addresses: readonly string[]
  /** Begins a run. */
  start(config: z.output<Config>, context: AuthContext): AuthSession
}

/** Headers and query parameters that only the source itself may be sent. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly params: Readonly<Record<string, string>>
}

export interface AuthSession {
  credentials(): Promise<Credentials>
  /** The source has refused the credentials: the next ones are to be new. Undefined where there never are others. */
  renew?(): void
}

export interface AuthContext {
  /** Sends a form to an address; the answer has any status below 500 that is not worth another try. */
  post(
    address: string,
    form: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
  /** From now on a text is a secret. */
  hide(secret: string): void
  /** Keeps a secret that has changed, under its path in the connector's configuration. */
  keepSecret(path: SecretPath, value: string): Promise<void>
  /** A text without the secrets in it. */
  scrub(text: string): string
}

export function defineAuth<Config extends z.ZodObject>(auth: Auth<Config>): Auth {
  return auth as unknown as Auth
}
