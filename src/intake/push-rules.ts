import type { RuleCheck } from '../domain/accuracy.ts'
import type { Grow } from './growth.ts'
import type { Growth, RowRule, Rules } from './rules.ts'

export interface PushRules {
  /** What is set for data sets, and which of it this push wants. */
  readonly rules: Rules
  readonly validate: boolean
  readonly transform: boolean
  /** Rows of a format that has only text: numbers, true and false are read as the schema has its columns. */
  readonly textOnly?: boolean
  /** Keeps what the rows have made of a data set's schema. */
  readonly grow: Grow
  readonly actor: string
  readonly requestId: string
}

/** What is done with each of a data set's rows. */
interface Begun {
  readonly rule: RowRule | undefined
  readonly keepsRules: RuleCheck | undefined
}

/** The rules of the data sets that a push names; most name one. */
export function pushRules({ rules, grow, validate, transform, textOnly = false, actor, requestId }: PushRules) {
  const begun = new Map<string, Begun>()
  let growths: [dataset: string, growth: Growth][] = []
  return {
    of(dataset: string): Begun {
      let found = begun.get(dataset)
      if (!found) {
        const rule = rules.begin(dataset, { validate, transform, textOnly })
        found = { rule, keepsRules: rules.ruleCheck(dataset) }
        begun.set(dataset, found)
      }
      return found
    },
    /** Whether rows have made more of a schema since the last time. */
    grown(): boolean {
      for (const [dataset, { rule }] of begun) {
        const growth = rule?.takeGrowth()
        if (growth) growths.push([dataset, growth])
      }
      return growths.length > 0
    },
    async keepGrowth(): Promise<void> {
      const taken = growths
      growths = []
      for (const [dataset, growth] of taken) await grow(dataset, growth, { actor, requestId })
    },
  }
}
