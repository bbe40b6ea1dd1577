/** Steps, an evaluated node of the expression each, that one row may take: 50 to 100 ms of them. */
const MAX_STEPS = 50_000
/** Size of one value, and of all values of a row together: 8 for a number or a member, one more for each character. */
const MAX_VALUE = 8_000_000
const MAX_TOTAL = 32_000_000
/** States of a pattern times characters it is held against; ten million take 0.2 s. */
const MAX_MATCHING = 10_000_000
const NODE = 8

/** Says that an expression wanted more than it may have. */
export class OverBudget extends Error {}

/**
 * What evaluating an expression on one row has used. It does not rest on a clock, so a row that is taken once is taken
 * always; the clock is only the last resort.
 */
export interface Budget {
  /** Before each row. */
  reset(): void
  /** Counts a step and its result, whose size is the one it has written out, however often its parts are shared. */
  step(result: unknown): void
  /** Counts text that is about to be made. */
  text(length: number): void
  /** Counts a search for a pattern. */
  matching(cost: number): void
}

export function createBudget(): Budget {
  let steps = 0
  let total = 0
  let matched = 0
  let sizes = new WeakMap<object, number>()

  function sizeOf(value: unknown): number {
    if (typeof value === 'string') return NODE + value.length
    if (typeof value !== 'object' || value === null || isFunction(value)) return NODE
    const known = sizes.get(value)
    if (known !== undefined) return known
    // While its parts are summed up, so that a ring comes to an end.
    sizes.set(value, 0)
    let size = NODE
    if (Array.isArray(value)) for (const element of value) size += sizeOf(element)
    else for (const name of Object.keys(value)) size += name.length + sizeOf((value as Record<string, unknown>)[name])
    sizes.set(value, size)
    spend(size)
    return size
  }

  function spend(size: number): void {
    if (size > MAX_VALUE) throw new OverBudget(`a value larger than ${MAX_VALUE} bytes`)
    total += size
    if (total > MAX_TOTAL) throw new OverBudget(`more than ${MAX_TOTAL} bytes of values`)
  }

  return {
    reset() {
      steps = 0
      total = 0
      matched = 0
      sizes = new WeakMap()
    },
    step(result) {
      if (++steps > MAX_STEPS) throw new OverBudget(`more than ${MAX_STEPS} steps`)
      if (typeof result === 'string') spend(result.length)
      else if (typeof result === 'object' && result !== null) sizeOf(result)
    },
    text: spend,
    matching(cost) {
      matched += cost
      if (matched > MAX_MATCHING) throw new OverBudget('too much text for its patterns')
    },
  }
}

/** JSONata's functions are objects that hold what they close over. */
function isFunction(value: object): boolean {
  return '_jsonata_function' in value || '_jsonata_lambda' in value
}
