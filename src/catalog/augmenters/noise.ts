import { z } from 'zod'
import { compareNumbers } from '../../kernel/decimal.ts'
import { augmenter, type Changed, NOTHING } from './augmenter.ts'

const PLAIN = /^(-?)(\d+)(?:\.(\d+))?$/
/** Longer fractions cannot be reckoned with: 10 to that power is no number any more. */
const MOST_PLACES = 300
const TRIES = 4

export const noise = augmenter({
  name: 'noise',
  summary:
    'Moves numbers a little, by a share of how far the column’s numbers spread, and never past its least or greatest. ' +
    'Whole numbers stay whole, others keep their decimals; ids, codes, years and labels stay.',
  changes: 'numbers',
  needs: null,
  config: z.strictObject({
    /** How far: as a share of the column's standard deviation. */
    spread: z.number().gt(0).max(1).default(0.1),
  }),
  examples: [
    { about: 'a price', config: {}, input: '12.50', output: '11.98', column: ['1.00', '20.00', '9.90'] },
    { about: 'a whole number', config: { spread: 1 }, input: '100', output: '67', column: ['1', '80', '120'] },
    {
      about: 'to the last digit',
      config: {},
      input: '9007199254740993',
      output: '9007199254740954',
      column: ['9007199254740000', '9007199254741000'],
    },
    { about: 'all are one', config: {}, input: '5', output: { refused: 'nothing_to_change' }, column: ['5', '5'] },
    {
      about: 'with an exponent',
      config: {},
      input: '1e3',
      output: { refused: 'nothing_to_change' },
      column: ['5', '9'],
    },
  ],
  compile({ spread }, { facts }) {
    return (value, name, chance): Changed => {
      const column = facts.columns[name]
      const [, sign, whole, fraction = ''] = PLAIN.exec(value) ?? []
      if (!column || column.deviation === 0 || whole === undefined || fraction.length > MOST_PLACES) return NOTHING
      const unit = 10 ** fraction.length
      const units = BigInt(sign + whole + fraction)
      for (let n = 0; n < TRIES; n++) {
        // Three draws together: near is likelier than far, and nothing is further than 1.5 times the spread.
        const off = (chance.share() + chance.share() + chance.share() - 1.5) * spread * column.deviation
        const step = Math.round(off * unit) || (off < 0 ? -1 : 1)
        if (!Number.isFinite(step)) return NOTHING
        const text = written(units + BigInt(step), fraction.length)
        if (compareNumbers(text, column.least!) < 0 || compareNumbers(text, column.greatest!) > 0) continue
        return { text }
      }
      return { refused: 'unchanged' }
    }
  },
})

/** So many units of 10^-places, with all its decimals. */
function written(units: bigint, places: number): string {
  const digits = String(units < 0n ? -units : units).padStart(places + 1, '0')
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`
  return units < 0n ? `-${text}` : text
}
