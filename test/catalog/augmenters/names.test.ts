import { describe, expect, it } from 'vitest'
import { namesOf } from '../../../src/catalog/augmenters/names.ts'
import { fixedSpans, wordsOf } from '../../../src/catalog/augmenters/words.ts'
import { LOCAL, madeOf } from '../../kit/augmenting.ts'

const words = (text: string) => wordsOf(text, fixedSpans(text, [])).map(word => word.text)

describe('names', () => {
  it.each<[text: string, names: string[]]>([
    ['We met Mr. Bush and Dr. Frost at St. Mark church.', ['Mr', 'Bush', 'Dr', 'Frost', 'St', 'Mark']],
    ['He saw George W. Bush. Big dogs bark.', ['George', 'W', 'Bush']],
  ])('%s', (text, names) => expect(namesOf(text)).toEqual(names))

  it('have small words that belong to them', () => {
    expect(words('we saw van der Berg and Maria de la Cruz in a van')).toEqual(['we', 'saw', 'and', 'in', 'a', 'van'])
  })

  it('of people in Chinese are told by their surname', () => {
    expect(words('我认识陈建国先生和张丽娜')).not.toEqual(expect.arrayContaining(['陈']))
    const text = words('李伟和张丽娜说他们很高兴').join('')
    for (const part of '李伟张丽娜') expect(text).not.toContain(part)
    expect(words('他说电脑很好')).toEqual(['他', '说', '电脑', '很好'])
  })
})

/** What has to be in whatever is made of a text. */
const KEPT: readonly (readonly [text: string, ...kept: (string | RegExp)[]])[] = [
  ['Bush bought the big car. Spear was happy in the large city.', 'Bush ', 'Spear '],
  ['I met Mr. Bush and Dr. Young in the big city with his happy wife.', 'Mr. Bush', 'Dr. Young'],
  ['Drew bought a big car from Mr. van der Berg and was very happy about it.', 'Drew ', 'van der Berg'],
  ['She took 2.5 mg of the bad medicine and 3 large pills for the big pain.', '2.5 mg', / 3 (?:large|big) /],
  [
    'They paid one thousand dollars for three cars in a big city near the sea.',
    'thousand dollars',
    /three (?:car|auto|motor)/,
  ],
  [
    'Run my_function() on v1.2.3 big-endian data, e.g. the large input in the file.',
    /my_function\(\)/,
    'v1.2.3 ',
    'e.g.',
  ],
  ['It costs 5 big-hearted people, 6 well-known doctors and a happy end.', /5 big-hearted/, /6 well-known/],
  ['我和李伟还有张丽娜昨天一起去公园玩，大家都很高兴。', '李伟', '张丽娜'],
]

describe('made texts', () => {
  it.each(LOCAL.filter(name => name !== 'noise'))('%s keeps names, units and whatever is one word', async strategy => {
    const config = { share: 1 }
    const dictionary = { 昨天: ['前一天'], 公园: ['园子'], 高兴: ['开心'] }
    let made = 0
    for (const [text, ...kept] of KEPT) {
      const rows = Array.from({ length: 40 }, (_, n) => ({ id: `r${n}`, data: JSON.stringify({ text }) }))
      const given = { strategies: [{ type: strategy, config }], multiplier: 5, text_columns: ['text'], dictionary }
      const copies = (await madeOf(given, rows)).made.map(({ data }) => JSON.parse(data).text)
      made += copies.length
      for (const copy of copies) for (const each of kept) expect(copy).toMatch(each)
    }
    expect(made).toBeGreaterThan(KEPT.length)
  })

  it('a dictionary does not reach over what stays', async () => {
    const rows = [
      { id: 'a', data: JSON.stringify({ text: 'the heart attack rate of 3 patients in 2019 is bad and big news' }) },
    ]
    const dictionary = { 'heart attack rate': ['risk'], 'of 3 patients': ['of patients'], 'bad and big': ['awful'] }
    const given = { strategies: [{ type: 'synonym_replacement', config: { share: 1, wordnet: false } }], dictionary }
    const { made } = await madeOf({ ...given, text_columns: ['text'], protect: ['attack'] }, rows)
    expect(made.map(({ data }) => JSON.parse(data).text)).toEqual([
      'the heart attack rate of 3 patients in 2019 is awful news',
    ])
  })
})
