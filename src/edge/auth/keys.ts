import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto'

/** The keys that the service's one secret, ENCRYPTION_KEY, is stretched into: every process with it has the same. */
export interface Keys {
  readonly signing: KeyObject
  readonly verifying: KeyObject
  readonly refreshMac: Buffer
  /** Seals other systems' secrets. */
  readonly sealing: Buffer
}

/** The DER head of a PKCS #8 Ed25519 private key, before its 32-byte seed (RFC 8410, section 7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Derives them by HKDF-SHA256 (RFC 5869), one label each, so that none says anything about another. */
export function deriveKeys(encryptionKey: string): Keys {
  const derive = (label: string) => {
    return Buffer.from(hkdfSync('sha256', Buffer.from(encryptionKey, 'hex'), '', `superinsight-sync ${label}`, 32))
  }
  const der = Buffer.concat([PKCS8_ED25519, derive('token signing')])
  const signing = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return {
    signing,
    verifying: createPublicKey(signing),
    refreshMac: derive('refresh tokens'),
    sealing: derive('secrets at rest'),
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Compares two secrets in time that does not depend on where they differ. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}

export function mac(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}

/** Whether a text has this Ed25519 signature (RFC 8032), base64url. */
export function signedBy(key: KeyObject, text: string, signature: string): boolean {
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'))
}
