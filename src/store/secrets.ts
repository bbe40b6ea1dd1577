import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/**
 * The port to where secrets are kept that others gave us: webhooks', connectors'. Events and settings hold references;
 * what is stored is sealed, so neither a copy of the store nor a reader of the log learns a secret.
 */
export interface SecretStore {
  /** Keeps a secret under a reference, in place of what was there. Durable when it resolves. */
  put(reference: string, secret: string): Promise<void>
  /** The secret; undefined for a reference that is unknown. */
  get(reference: string): Promise<string | undefined>
  remove(reference: string): Promise<void>
  stop(): Promise<void>
}

/** Where sealed bytes are kept. */
export interface SealedStore {
  put(reference: string, sealed: Uint8Array): Promise<void>
  get(reference: string): Promise<Uint8Array | undefined>
  remove(reference: string): Promise<void>
  stop(): Promise<void>
}

const IV_BYTES = 12
const TAG_BYTES = 16

/**
 * Seals with AES-256-GCM (NIST SP 800-38D): a random 96-bit IV, the tag, the text. The reference is authenticated with
 * it, so that one secret cannot be put in another's place. `key`: 32 bytes.
 */
export function sealing(store: SealedStore, key: Uint8Array): SecretStore {
  return {
    put(reference, secret) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(reference))
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return store.put(reference, Buffer.concat([iv, cipher.getAuthTag(), text]))
    },
    async get(reference) {
      const sealed = await store.get(reference)
      if (!sealed) return undefined
      const [iv, tag, text] = [
        sealed.subarray(0, IV_BYTES),
        sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES),
        sealed.subarray(IV_BYTES + TAG_BYTES),
      ]
      try {
        // Its length is asked for: a tag that was cut short would be easier to guess.
        const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
        decipher.setAAD(Buffer.from(reference)).setAuthTag(tag)
        return Buffer.concat([decipher.update(text), decipher.final()]).toString()
      } catch {
        throw new Error(
          `the secret ${reference} cannot be opened: it was sealed with another ENCRYPTION_KEY, or altered`,
        )
      }
    },
    remove: reference => store.remove(reference),
    stop: () => store.stop(),
  }
}
