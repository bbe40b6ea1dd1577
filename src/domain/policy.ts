/** What is done with a pushed record that conflicts with the one that is there. */
export type Policy =
  | { readonly type: 'last_write_wins' | 'source_wins' | 'keep_current' | 'field_merge' | 'manual' }
  | {
      readonly type: 'source_priority'
      /** Highest first. One that is not named stands below all of them. */
      readonly sources: readonly string[]
    }

export const POLICIES = ['last_write_wins', 'source_wins', 'keep_current', 'field_merge', 'manual'] as const

const DEFAULT: Policy = { type: 'last_write_wins' }

let last: { text: string; policy: Policy } = { text: '"last_write_wins"', policy: DEFAULT }

/** Reads the policy that a record brings, remembering the last one: most records bring the one of the record before. */
export function readPolicy(text: string | null): Policy {
  if (text === null) return DEFAULT
  if (text !== last.text) last = { text, policy: asPolicy(JSON.parse(text), text) }
  return last.policy
}

function asPolicy(given: string | Policy, text: string): Policy {
  const policy = (typeof given === 'string' ? { type: given } : given) as Policy
  if (policy.type === 'source_priority' ? Array.isArray(policy.sources) : POLICIES.includes(policy.type)) return policy
  throw new Error(`this version does not know the conflict policy ${text}`)
}
