/**
 * Appends numbered events to an embedded log until it is killed, and prints after each append how many are promised to
 * be durable, those found at the start included. Arguments: the log's file, and FULL or OFF.
 */
import { writeSync } from 'node:fs'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { events, readTopic, SPEC } from './events.ts'

export const NUMBERS = 'numbers'

/** An event's value: its number, and filler of a size that follows from it, from nothing to 4 kB. */
export function numbered(n: number): string {
  return `${n} ${'x'.repeat((n * 7919) % 4001)}`
}

if (import.meta.main) {
  const [file, synchronous] = process.argv.slice(2) as [string, 'FULL' | 'OFF']
  const log = openEmbeddedLog({ file, synchronous })
  await log.declare([{ ...SPEC, name: NUMBERS }], {})
  let next = (await readTopic(log, NUMBERS)).length
  let promised = next

  /** One append of some events, of a size that no other thing follows. */
  async function append(): Promise<void> {
    const count = 1 + ((next * 31) % 20)
    const pairs = Array.from({ length: count }, (_, i): [string, string] => ['same', numbered(next + i)])
    next += count
    await log.append([events(NUMBERS, ...pairs)])
    promised += count
    writeSync(1, `${promised}\n`)
  }
  // Some at once, so that commits hold one append or several.
  for (;;) await Promise.all(Array.from({ length: 1 + (next % 4) }, append))
}
