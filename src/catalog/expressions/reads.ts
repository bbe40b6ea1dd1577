/** What an expression, as the tree that JSONata's parser makes of it, looks at and calls. */
export interface Reads {
  /** Every name and text in it: a field of the row that it wants is among them. */
  readonly names: ReadonlySet<string>
  /** Whether it may look at fields it does not name. */
  readonly wholeRow: boolean
  /** Functions it calls or mentions that can take long within one step, so that a clock must watch them. */
  readonly slow: boolean
  /** Whether it calls $eval, whose expression nobody has looked at. */
  readonly evaluates: boolean
  readonly patterns: readonly RegExp[]
}

/** Sorting copies, finding what is distinct compares all with all, pictures become patterns of a backtracking engine. */
const SLOW = new Set(['sort', 'distinct', 'formatNumber', 'formatInteger', 'parseInteger'])
const SLOW_WITH_PICTURE = new Set(['toMillis', 'fromMillis'])
const WITHOUT_CONTEXT = new Set(['now', 'millis', 'random'])
/** How many arguments a function needs not to take the row itself for its first. */
const FULL: Record<string, number> = {
  contains: 2,
  each: 2,
  formatInteger: 2,
  formatNumber: 2,
  lookup: 2,
  match: 2,
  pad: 2,
  parseInteger: 2,
  power: 2,
  replace: 3,
  sift: 2,
  split: 2,
  substring: 2,
  substringAfter: 2,
  substringBefore: 2,
}

/** Trees deeper than this are not looked at any further. */
const MAX_LEVELS = 500

interface Node {
  readonly type?: string
  readonly value?: unknown
  readonly steps?: readonly Node[]
  readonly arguments?: readonly Node[]
  readonly procedure?: Node
}

/** Undefined when the tree is nested too deep. */
export function readsOf(tree: object): Reads | undefined {
  const names = new Set<string>()
  const patterns: RegExp[] = []
  let wholeRow = false
  let slow = false
  let evaluates = false
  let level = 0
  let tooDeep = false

  function visit(node: Node): void {
    if (++level > MAX_LEVELS) tooDeep = true
    if (!tooDeep) look(node)
    level--
  }

  function look(node: Node): void {
    const { type, value } = node
    if (type === 'name' || type === 'string') names.add(value as string)
    else if (type === 'regex') patterns.push(value as RegExp)
    else if (type === 'wildcard' || type === 'descendant' || type === 'parent' || type === 'partial') wholeRow = true
    else if (type === 'variable') visitVariable(value as string)
    else if (type === 'function') visitCall(node)
    for (const [key, child] of Object.entries(node)) {
      if (key === 'steps') visitSteps(child as readonly Node[])
      else if (key !== 'procedure' || type !== 'function') visitAny(child)
    }
  }

  function visitAny(child: unknown): void {
    if (typeof child !== 'object' || child === null || child instanceof RegExp) return
    if (Array.isArray(child)) for (const each of child) visitAny(each)
    else visit(child as Node)
  }

  function visitSteps(steps: readonly Node[]): void {
    const [first, second] = steps
    // $.field and $$.field look at that field only.
    const plain = first?.type === 'variable' && isRow(first.value) && second?.type === 'name'
    visitAny(plain ? steps.slice(1) : steps)
  }

  function visitVariable(name: string): void {
    if (isRow(name)) wholeRow = true
    if (name === 'eval') evaluates = true
    if (SLOW.has(name) || SLOW_WITH_PICTURE.has(name)) slow = true
  }

  function visitCall({ procedure, arguments: given = [] }: Node): void {
    if (procedure?.type !== 'variable') return visitAny(procedure)
    const name = procedure.value as string
    if (given.length < (FULL[name] ?? 1) && !WITHOUT_CONTEXT.has(name)) wholeRow = true
    if (!SLOW_WITH_PICTURE.has(name) || given.length > 1) visitVariable(name)
  }

  visit(tree as Node)
  return tooDeep ? undefined : { names, wholeRow, slow, evaluates, patterns }
}

function isRow(name: unknown): boolean {
  return name === '' || name === '$'
}
