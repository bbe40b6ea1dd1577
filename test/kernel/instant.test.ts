import { expect, it } from 'vitest'
import { compareInstants, laterOf } from '../../src/kernel/instant.ts'
import { property, type Random } from '../kit/random.ts'

/** A time written in one of many ways, and the nanoseconds since 1970 that it is. */
function randomTime(random: Random): { text: string; nanos: bigint } {
  const second = 1_767_000_000 + random.int(3)
  const nano = random.pick([0, 0, 1, 10, 500_000_000, 999_999_999, 120_000_000])
  const minutes = random.pick([0, 0, 0, 60, -90, 345])
  const local = new Date((second + minutes * 60) * 1000).toISOString().slice(0, 19)
  const digits = String(nano).padStart(9, '0').replace(/0+$/, '') + random.pick(['', '', '0', '00'])
  const sign = minutes < 0 ? '-' : '+'
  const offset = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60].map(n => String(n).padStart(2, '0'))
  const zone = minutes === 0 && random.chance(0.8) ? 'Z' : `${sign}${offset.join(':')}`
  const text = `${local}${digits === '' ? '' : `.${digits}`}${zone}`
  return { text: random.chance(0.1) ? text.toLowerCase() : text, nanos: BigInt(second) * 1_000_000_000n + BigInt(nano) }
}

it('times are compared as the instants that they are, however they are written', () =>
  property(2000, random => {
    const [a, b] = [randomTime(random), randomTime(random)]
    const sign = a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0
    expect(Math.sign(compareInstants(a.text, b.text)), `${a.text} ${b.text}`).toBe(sign)
    expect(laterOf(a.text, b.text)).toBe(sign < 0 ? b.text : a.text)
  }))

it('of one time and none the one is the later', () => {
  const time = '2026-01-02T03:04:05Z'
  expect([laterOf(time, null), laterOf(null, time), laterOf(null, null)]).toEqual([time, time, null])
})
