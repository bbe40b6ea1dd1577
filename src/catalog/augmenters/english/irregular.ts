/** Verbs whose past is not made with -ed: base, past, participle; of two forms with the same spelling one entry. */
const VERBS =
  'arise arose arisen|awake awoke awoken|bear bore borne|beat beat beaten|become became become|begin began begun|' +
  'bend bent bent|bet bet bet|bind bound bound|bite bit bitten|bleed bled bled|blow blew blown|break broke broken|' +
  'breed bred bred|bring brought brought|build built built|burst burst burst|buy bought bought|cast cast cast|' +
  'catch caught caught|choose chose chosen|cling clung clung|come came come|cost cost cost|creep crept crept|' +
  'cut cut cut|deal dealt dealt|dig dug dug|do did done|draw drew drawn|drink drank drunk|drive drove driven|' +
  'eat ate eaten|fall fell fallen|feed fed fed|feel felt felt|fight fought fought|find found found|flee fled fled|' +
  'fling flung flung|fly flew flown|forbid forbade forbidden|forecast forecast forecast|foresee foresaw foreseen|' +
  'forget forgot forgotten|forgive forgave forgiven|freeze froze frozen|get got got|give gave given|go went gone|' +
  'grind ground ground|grow grew grown|hang hung hung|have had had|hear heard heard|hide hid hidden|hit hit hit|' +
  'hold held held|hurt hurt hurt|keep kept kept|kneel knelt knelt|know knew known|lay laid laid|lead led led|' +
  'leave left left|lend lent lent|let let let|lie lay lain|lose lost lost|make made made|mean meant meant|' +
  'meet met met|mislead misled misled|mistake mistook mistaken|misunderstand misunderstood misunderstood|' +
  'outdo outdid outdone|overcome overcame overcome|overhear overheard overheard|overtake overtook overtaken|' +
  'overthrow overthrew overthrown|pay paid paid|prove proved proven|put put put|quit quit quit|read read read|' +
  'rebuild rebuilt rebuilt|repay repaid repaid|retell retold retold|rewrite rewrote rewritten|rid rid rid|' +
  'ride rode ridden|ring rang rung|rise rose risen|run ran run|say said said|see saw seen|seek sought sought|' +
  'sell sold sold|send sent sent|set set set|sew sewed sewn|shake shook shaken|shed shed shed|shine shone shone|' +
  'shoot shot shot|show showed shown|shrink shrank shrunk|shut shut shut|sing sang sung|sink sank sunk|sit sat sat|' +
  'sleep slept slept|slide slid slid|sling slung slung|slit slit slit|sow sowed sown|speak spoke spoken|' +
  'speed sped sped|spend spent spent|spin spun spun|spit spat spat|split split split|spread spread spread|' +
  'spring sprang sprung|stand stood stood|steal stole stolen|stick stuck stuck|sting stung stung|stink stank stunk|' +
  'stride strode stridden|strike struck struck|string strung strung|strive strove striven|swear swore sworn|' +
  'sweep swept swept|swell swelled swollen|swim swam swum|swing swung swung|take took taken|teach taught taught|' +
  'tear tore torn|tell told told|think thought thought|throw threw thrown|thrust thrust thrust|tread trod trodden|' +
  'undergo underwent undergone|understand understood understood|undertake undertook undertaken|undo undid undone|' +
  'uphold upheld upheld|upset upset upset|wake woke woken|wear wore worn|weave wove woven|weep wept wept|' +
  'win won won|wind wound wound|withdraw withdrew withdrawn|withhold withheld withheld|withstand withstood withstood|' +
  'wring wrung wrung|write wrote written|be was been|shall should should|can could could|will would would'

/** Nouns whose plural is not made with -s. */
const NOUNS =
  'man men|woman women|child children|person people|foot feet|tooth teeth|goose geese|mouse mice|louse lice|ox oxen|' +
  'die dice|leaf leaves|loaf loaves|half halves|calf calves|knife knives|life lives|wife wives|wolf wolves|' +
  'shelf shelves|self selves|thief thieves|elf elves|sheaf sheaves|crisis crises|analysis analyses|basis bases|' +
  'thesis theses|hypothesis hypotheses|diagnosis diagnoses|oasis oases|axis axes|phenomenon phenomena|' +
  'criterion criteria|datum data|medium media|bacterium bacteria|stratum strata|curriculum curricula|' +
  'cactus cacti|focus foci|fungus fungi|nucleus nuclei|radius radii|stimulus stimuli|alumnus alumni|index indices|' +
  'appendix appendices|matrix matrices|vertex vertices|sheep sheep|fish fish|deer deer|series series|species species|' +
  'aircraft aircraft|means means|offspring offspring|salmon salmon|trout trout|potato potatoes|tomato tomatoes|' +
  'hero heroes|echo echoes|veto vetoes|photo photos|piano pianos|roof roofs|belief beliefs|chief chiefs|proof proofs'

/** Nouns without a plural, or that are one. */
const UNCOUNTED =
  'information advice news furniture equipment luggage baggage money music traffic evidence knowledge homework weather ' +
  'progress research rice bread water milk software hardware police people cattle clothes scissors trousers goods ' +
  'thanks physics mathematics economics politics'

/** Verbs of several syllables that double their last letter, because the last is the stressed one. */
const DOUBLING =
  'abhor acquit admit allot annul begin commit compel confer control defer deter dispel emit equip excel expel extol ' +
  'forbid forget impel incur infer occur omit patrol permit prefer propel rebel rebut recur refer regret repel submit ' +
  'transfer transmit upset'

export interface Verb {
  readonly past: string
  readonly participle: string
}

export const irregularVerbs: ReadonlyMap<string, Verb> = new Map(
  VERBS.split('|').map(entry => {
    const [base, past, participle] = entry.split(' ') as [string, string, string]
    return [base, { past, participle }]
  }),
)

export const irregularPlurals: ReadonlyMap<string, string> = new Map(
  NOUNS.split('|').map(entry => entry.split(' ') as [string, string]),
)

export const uncounted: ReadonlySet<string> = new Set(UNCOUNTED.split(' '))
export const doubling: ReadonlySet<string> = new Set(DOUBLING.split(' '))

export const irregularComparisons: ReadonlyMap<string, readonly [comparative: string, superlative: string]> = new Map([
  ['good', ['better', 'best']],
  ['well', ['better', 'best']],
  ['bad', ['worse', 'worst']],
  ['far', ['farther', 'farthest']],
  ['little', ['less', 'least']],
  ['much', ['more', 'most']],
  ['many', ['more', 'most']],
])
