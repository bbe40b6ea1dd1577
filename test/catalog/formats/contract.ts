import { describe, expect, it } from 'vitest'
import { checkOptions, type Example, FileDamaged, type Format } from '../../../src/catalog/formats/format.ts'
import { recognise } from '../../../src/catalog/formats/index.ts'
import { inputOf, type Reading, readAll, withFile } from '../../kit/files.ts'
import { DEFAULT_LIMITS } from '../../kit/limits.ts'
import { property } from '../../kit/random.ts'

/** Damaged copies of each example that are read; every one is a file on disk, so this is a matter of seconds. */
const CUTS = 40
const FLIPS = 40

/** The laws of src/catalog/formats/format.ts, for any format: it is given by its examples. `among` is the list that has it. */
export function formatContract(format: Format, among: readonly Format[]): void {
  describe(`format ${format.name}`, () => {
    it('says what it is', () => {
      expect(format.name).toMatch(/^[a-z]+$/)
      expect(format.summary.length).toBeGreaterThan(10)
      expect(format.extensions.length).toBeGreaterThan(0)
      for (const extension of format.extensions) expect(extension).toMatch(/^\.[a-z0-9]+$/)
      expect(format.examples.length).toBeGreaterThan(0)
      expect(() => checkOptions(format, { unheard_of: 1 })).toThrow(/unheard_of/)
      expect(checkOptions(format, checkOptions(format, {}))).toEqual(checkOptions(format, {}))
    })

    it.each(format.examples.map(example => [example.name, example] as const))('example: %s', async (_, example) => {
      const reading = await readAll(format, inputOf(example.input), example)
      expect([...reading.rows.values()]).toEqual(example.rows)
      expect(reading.refused).toMatchObject(example.refusals ?? [])
      expect(reading.refused).toHaveLength(example.refusals?.length ?? 0)
      if (example.damage !== undefined) expect(reading.damage?.message).toContain(example.damage)
      else expect(reading.damage).toBeUndefined()
      wellFormed(reading)
    })

    it('recognises its examples by their name at least', () => {
      for (const { input } of format.examples)
        expect(recognise(`file${format.extensions[0]!.toUpperCase()}`, inputOf(input), among)).toBe(format)
    })

    it.each(whole(format))('counts what it reads: $name', async example => {
      await withFile(inputOf(example.input), async path => {
        const options = checkOptions(format, example.options)
        const count = await format.count(path, options, { limits: DEFAULT_LIMITS })
        expect(count).toBe(example.rows.length + (example.refusals?.length ?? 0))
      })
    })

    it.each(whole(format))('tells of its columns what every row has: $name', async example => {
      await withFile(inputOf(example.input), async path => {
        const options = checkOptions(format, example.options)
        const told: (readonly string[])[] = []
        const onColumns = (names: readonly string[]) => void told.push(names)
        await format.count(path, options, { limits: DEFAULT_LIMITS, onColumns })
        const hasColumns = ['csv', 'excel', 'parquet'].includes(format.name) && example.rows.length > 0
        expect(told).toHaveLength(hasColumns ? 1 : told.length)
        for (const names of told)
          for (const row of example.rows)
            expect(Object.keys(JSON.parse(row))).toEqual(expect.arrayContaining([...names]))
      })
    })

    it.each(whole(format))('goes on after any row: $name', async example => {
      const all = await readAll(format, inputOf(example.input), example)
      for (let after = 0; after <= all.count! + 1; after++) {
        const rest = await readAll(format, inputOf(example.input), { ...example, after })
        expect(rest.count).toBe(all.count)
        expect([...rest.rows]).toEqual([...all.rows].filter(([number]) => number > after))
        expect(rest.refused).toEqual(all.refused.filter(({ row }) => row > after))
      }
    })

    it.each(whole(format))('waits for its sink: $name', async example => {
      let under = 0
      let most = 0
      let taken = 0
      const slowly = async () => {
        most = Math.max(most, ++under)
        await new Promise(resolve => setImmediate(resolve))
        under--
        taken++
      }
      await withFile(inputOf(example.input), async path => {
        const options = checkOptions(format, example.options)
        const count = await format.read(path, options, { row: slowly, refuse: slowly }, { limits: DEFAULT_LIMITS })
        expect([most, under, taken]).toEqual([1, 0, count])
      })
    })

    it('passes on what its sink throws, and stops when it is told to', async () => {
      const example = whole(format).find(({ rows }) => rows.length > 0)!
      await withFile(inputOf(example.input), async path => {
        const options = checkOptions(format, example.options)
        const full = new Error('the sink is full')
        const sink = { row: () => Promise.reject(full), refuse: () => Promise.reject(full) }
        await expect(format.read(path, options, sink, { limits: DEFAULT_LIMITS })).rejects.toBe(full)
        const stop = AbortSignal.abort(new Error('enough'))
        await expect(format.read(path, options, sink, { limits: DEFAULT_LIMITS, signal: stop })).rejects.toThrow(
          'enough',
        )
      })
    })

    it('refuses rows longer than the limit and takes the others', async () => {
      const example = whole(format).find(({ rows }) => rows.length > 0)!
      const longest = Math.max(...example.rows.map(json => Buffer.byteLength(json)))
      const reading = await readAll(format, inputOf(example.input), {
        ...example,
        limits: { maxRowBytes: longest - 1 },
      })
      wellFormed(reading)
      const tooLong = reading.refused.filter(({ code }) => code === 'TOO_LONG')
      expect(tooLong.length).toBeGreaterThan(0)
      for (const { original } of tooLong) expect(original.length).toBeLessThan(longest)
      expect(reading.count).toBe(example.rows.length + (example.refusals?.length ?? 0))
    })

    it.each(format.examples)('bears being cut off anywhere: $name', async example => {
      const bytes = inputOf(example.input)
      const step = Math.max(1, Math.floor(bytes.length / CUTS))
      for (let length = 0; length < bytes.length; length += step)
        wellFormed(await readDamaged(format, example, bytes.subarray(0, length)))
    })

    it.each(format.examples)('bears any byte being another: $name', async example => {
      await property(FLIPS, async random => {
        const bytes = inputOf(example.input)
        for (let n = random.int(4); n >= 0; n--) bytes[random.int(bytes.length)] = random.int(256)
        wellFormed(await readDamaged(format, example, bytes))
      })
    })
  })
}

/** The examples that are read to the end. */
function whole(format: Format): Example[] {
  return format.examples.filter(({ damage }) => damage === undefined)
}

/** An option that the file cannot satisfy any more is as good an end as a damage. */
async function readDamaged(format: Format, example: Example, bytes: Buffer): Promise<Reading> {
  try {
    return await readAll(format, bytes, example)
  } catch (error) {
    const { details } = error as FileDamaged
    if (details?.[0]?.field.startsWith('options.'))
      return { rows: new Map(), refused: [], notices: [], damage: undefined, count: undefined }
    throw error
  }
}

/** What holds for every reading: numbers from 1 without a gap, objects as rows, words and bounds for what is refused. */
export function wellFormed({ rows, refused, damage, count }: Reading): void {
  const numbers = [...rows.keys(), ...refused.map(({ row }) => row)].toSorted((a, b) => a - b)
  expect(numbers).toEqual(numbers.map((_, i) => i + 1))
  if (count !== undefined) expect(numbers).toHaveLength(count)
  for (const json of rows.values()) {
    const value = JSON.parse(json)
    expect(value !== null && typeof value === 'object' && !Array.isArray(value)).toBe(true)
  }
  for (const { message, value, original, originalBytes } of refused) {
    expect(message.length).toBeGreaterThan(0)
    expect(value?.length ?? 0).toBeLessThan(300)
    expect(originalBytes).toBeGreaterThanOrEqual(original.length)
  }
  if (damage) {
    expect(damage).toBeInstanceOf(FileDamaged)
    expect(damage.code).toBe('VALIDATION_ERROR')
    if (damage.row > 0) expect(damage.row).toBe(numbers.length + 1)
  }
}
