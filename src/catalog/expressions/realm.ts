import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants, createContext, runInContext, Script } from 'node:vm'
import { compilePattern } from '../patterns.ts'
import { createBudget, OverBudget } from './budget.ts'

/** What became of one evaluation: JSON text, nothing (the expression has no result here), or why not. */
export type Evaluated =
  | { readonly json: string }
  | { readonly nothing: true }
  | { readonly failed: string; readonly limit: boolean }

/** An expression that was parsed; `tree` is what JSONata's parser made of it. */
export interface Parsed {
  readonly tree: object
  /** Evaluates it on a JSON text. `watched`: a clock outside ends it, for 0.3 ms more. */
  evaluate(json: string, watched: boolean): Evaluated
}

/** What JSONata says is wrong with an expression. */
export interface SyntaxFault {
  readonly message: string
  readonly position?: number
}

/**
 * A JavaScript realm of its own for JSONata. Nothing but text goes in and out, so an expression that got hold of a
 * function would find nobody's objects behind it. JSONata is asynchronous, but waits for nothing: the realm has its own
 * queue of microtasks, which is worked off before the call returns, so a row is evaluated at once.
 */
interface Realm {
  parse(expression: string, timeoutMs: number): Parsed
}

let current: Realm | undefined

/** The realm that expressions are evaluated in; another one after an evaluation was cut off by the clock. */
export function currentRealm(): Realm {
  current ??= createRealm()
  return current
}

const MAX_DEPTH = 500
const MAX_SEQUENCE = 100_000
const OVER_LIMIT = new Set(['D1011', 'D1012', 'D2014', 'D2015', 'U1001'])

function createRealm(): Realm {
  const context = createContext(constants.DONT_CONTEXTIFY, {
    microtaskMode: 'afterEvaluate',
    codeGeneration: { strings: false, wasm: false },
  })
  const library = readFileSync(createRequire(import.meta.url).resolve('jsonata'), 'utf8')
  const jsonata = runInContext(
    `(() => { const module = { exports: {} }, exports = module.exports;
${library}
return module.exports })()`,
    context,
  )
  const budget = createBudget()

  /** Stands in for RegExp where expressions have patterns. */
  class Engine {
    lastIndex = 0
    private readonly pattern
    constructor({ source, flags }: RegExp) {
      this.pattern = compilePattern(source, flags)
    }
    exec(text: string) {
      budget.matching(this.pattern.size * (text.length - this.lastIndex))
      const match = this.pattern.find(text, this.lastIndex)
      if (!match) return null
      this.lastIndex = match.index + match.groups[0]!.length
      return Object.assign(match.groups, { index: match.index })
    }
  }

  const host = {
    budget,
    limits: { stack: MAX_DEPTH, sequence: MAX_SEQUENCE, RegexEngine: Engine },
    encode: (text: string) => Buffer.from(text, 'latin1').toString('base64'),
    decode: (text: string) => Buffer.from(text, 'base64').toString('latin1'),
  }
  const inside: ReturnType<typeof insideRealm> = runInContext(`(${insideRealm})`, context)(jsonata, host)
  const run = new Script('runExpression()')

  const realm: Realm = {
    parse(expression, timeoutMs) {
      const compiled = inside.compile(expression, timeoutMs)
      return {
        tree: compiled.ast(),
        evaluate(json, watched) {
          budget.reset()
          inside.prepare(compiled, json)
          try {
            run.runInContext(context, watched ? { timeout: timeoutMs } : undefined)
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
            // What was cut off may have left anything behind.
            if (current === realm) current = undefined
            return { failed: `it took more than ${timeoutMs} ms`, limit: true }
          }
          return told(inside.result())
        },
      }
    },
  }
  return realm
}

function told(result: ReturnType<ReturnType<typeof insideRealm>['result']>): Evaluated {
  if (result.json !== undefined) return { json: result.json }
  const { error } = result
  if (error === undefined) return { nothing: true }
  const limit = error instanceof OverBudget || error instanceof RangeError || OVER_LIMIT.has(error.code ?? '')
  const message = error instanceof OverBudget ? `it wants ${error.message}` : String(error.message ?? error)
  return { failed: message.slice(0, 300), limit: limit || error.name === 'RangeError' }
}

interface Compiled {
  ast(): object
  assign(name: symbol, value: unknown): void
  registerFunction(name: string, implementation: (...given: never[]) => unknown, signature: string): void
  evaluate(input: unknown): Promise<unknown>
}

interface Host {
  readonly budget: ReturnType<typeof createBudget>
  readonly limits: object
  encode(text: string): string
  decode(text: string): string
}

/**
 * Runs in the realm, from its source text: it may use nothing from around it. The library makes padding and joined text
 * before anyone can count them, and has Base64 from a Buffer that is not there: these four are replaced.
 */
function insideRealm(jsonata: (expression: string, options: object) => Compiled, host: Host) {
  const { parse, stringify } = JSON
  let compiled: Compiled
  let input = ''
  let json: string | undefined
  let error: { code?: string; name?: string; message?: string } | undefined

  function pad(text: string | undefined, width: number, fill?: string): string | undefined {
    if (text === undefined) return undefined
    host.budget.text(Math.abs(width))
    const missing = Math.abs(Math.trunc(width)) - [...text].length
    if (missing <= 0) return text
    const characters = [...(fill || ' ')]
    let padding = ''
    for (let i = 0; i < missing; i++) padding += characters[i % characters.length]
    return width > 0 ? text + padding : padding + text
  }

  function join(texts: string[] | undefined, separator = ''): string | undefined {
    if (texts === undefined) return undefined
    let length = separator.length * texts.length
    for (const text of texts) length += text.length
    host.budget.text(length)
    return texts.join(separator)
  }

  /** Functions and numbers beyond all bounds are no values of a row. */
  function checked(_name: string, value: unknown): unknown {
    if (typeof value === 'number' && !Number.isFinite(value)) throw { message: `the result has the number ${value}` }
    const made = typeof value === 'object' && value !== null
    if (typeof value === 'function' || (made && ('_jsonata_lambda' in value || '_jsonata_function' in value)))
      throw { message: 'the result has a function in it' }
    return value
  }

  Object.assign(globalThis, {
    runExpression() {
      compiled
        .evaluate(parse(input))
        .then(value => {
          json = typeof value === 'string' ? stringify(value) : stringify(value, checked)
        })
        .catch(thrown => {
          error = typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) }
        })
    },
  })

  return {
    compile(expression: string, timeout: number): Compiled {
      const made = jsonata(expression, { ...host.limits, timeout })
      made.assign(
        Symbol.for('jsonata.__evaluate_exit'),
        (_node: never, _input: never, _scope: never, result: unknown) => host.budget.step(result),
      )
      made.registerFunction('pad', pad, '<s-ns?:s>')
      made.registerFunction('join', join, '<a<s>s?:s>')
      made.registerFunction('base64encode', (text?: string) => text && host.encode(text), '<s-:s>')
      made.registerFunction('base64decode', (text?: string) => text && host.decode(text), '<s-:s>')
      return made
    },
    prepare(next: Compiled, text: string): void {
      compiled = next
      input = text
      json = undefined
      error = undefined
    },
    result: () => ({ json, error }),
  }
}
