import type { Connector } from '../catalog/connectors/connector.ts'
import { connectorOf } from '../catalog/connectors/index.ts'
import { isOutside } from '../catalog/destinations/index.ts'
import { compileTransformations, type Transform } from '../catalog/transformations/index.ts'
import { referencesIn, revealSecrets, scrubber } from '../intake/hidden.ts'
import type { RulesLimits } from '../intake/row-rules.ts'
import { DomainError } from '../kernel/errors.ts'
import type { SecretStore } from '../store/secrets.ts'
import type { JobConfig } from './jobs-held.ts'

/** A job's configuration, ready to be run: with its secrets in their places. */
export interface RunSettings {
  readonly connector: Connector
  /** As the connector's schema gives it. */
  readonly config: unknown
  /** Undefined: rows stay as they are pulled. */
  readonly transform: Transform | undefined
  /** Where rows land besides the log; undefined: nowhere else. */
  readonly destination: { readonly type: string } | undefined
  /** Whether a run brings everything that the source has. */
  readonly whole: boolean
  /** A text without the secrets in it. */
  readonly scrub: (text: string) => string
  /** One more secret that texts may not have in them. */
  learn(secret: string): void
}

/** Throws a DomainError when the job cannot run as it is configured. */
export async function openSettings(
  { connector: { type, config }, transformations = [], destination }: JobConfig,
  secrets: Pick<SecretStore, 'get'>,
  limits: RulesLimits,
): Promise<RunSettings> {
  const connector = connectorOf(type)
  if (!connector) throw new DomainError('VALIDATION_ERROR', `connector.type: there is no connector ${type}`)
  const kept = { config, transformations, destination }
  const known = new Map<string, string>()
  for (const reference of referencesIn(kept)) {
    const secret = await secrets.get(reference)
    if (secret === undefined) {
      throw new DomainError('VALIDATION_ERROR', 'a secret of this job is not kept any more: set it again')
    }
    known.set(reference, secret)
  }
  const revealed = revealSecrets(kept, known)
  const parsed = connector.config.parse(revealed.config)
  const hasSteps = revealed.transformations.length > 0
  const texts = [...known.values()]
  let scrub = scrubber(texts)
  return {
    connector,
    config: parsed,
    transform: hasSteps ? compileTransformations(revealed.transformations, 'transformations', limits)() : undefined,
    destination: isOutside(revealed.destination) ? revealed.destination : undefined,
    whole: connector.whole?.(parsed) ?? true,
    scrub: text => scrub(text),
    learn(secret) {
      texts.push(secret)
      scrub = scrubber(texts)
    },
  }
}
