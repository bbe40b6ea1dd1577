import type { Validator, Violation } from '../../catalog/schemas/compile.ts'
import type { WebhookConfigured } from '../../events/index.ts'
import { DomainError } from '../../kernel/errors.ts'
import type { Services } from '../services.ts'

const validators = new WeakMap<WebhookConfigured, Validator>()

/** What a webhook's own schema, if it has one, says against a delivery; the schema is compiled once for each setting. */
export function violationsOf(
  { schemas }: Services,
  webhook: WebhookConfigured,
  data: string,
): readonly Violation[] | null {
  if (webhook.schema === null) return null
  let validator = validators.get(webhook)
  if (!validator) {
    validator = schemas(JSON.parse(webhook.schema), 'schema')
    validators.set(webhook, validator)
  }
  return validator(data)
}

/** The first of them in words, and each with its pointer. */
export function refusalOf(violations: readonly Violation[]): DomainError {
  const [first] = violations
  const details = violations.map(({ pointer, message }) => ({ field: pointer, message }))
  return new DomainError('VALIDATION_ERROR', `${first!.pointer}: ${first!.message}`, { details })
}
