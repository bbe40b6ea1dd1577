/** Something went wrong on the way that another try may not meet. Stays within the connector. */
export class MayPass extends Error {
  /** Whether another try at once makes sense. */
  readonly soon: boolean

  constructor(message: string, soon = true) {
    super(message)
    this.name = 'MayPass'
    this.soon = soon
  }
}

/** What is wrong with a certificate stays wrong for longer than a run would wait. */
const CERTIFICATE = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|ERR_SSL_WRONG_VERSION)/

/** Whether an error of a connection says that the other side's certificate, or that it speaks TLS, cannot be relied on. */
export function isCertificateError(error: unknown): boolean {
  return CERTIFICATE.test((error as NodeJS.ErrnoException).code ?? '')
}
