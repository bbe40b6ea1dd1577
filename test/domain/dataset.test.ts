import { describe, expect, it } from 'vitest'
import { type DatasetCommand, type DatasetEvent, datasetDecider } from '../../src/domain/dataset.ts'
import type { CommandMeta } from '../../src/kernel/decider.ts'
import { specification } from '../kit/given.ts'
import { property } from '../kit/random.ts'

const given = specification(datasetDecider)

const NOW = 1_750_000_000_000
const meta: CommandMeta = { command_id: 'cmd_now', actor: 'cli_2', request_id: 'req_now', at: NOW }
const stamp = { command_id: 'cmd_now', by: 'cli_2', at: NOW }
const past = { command_id: 'cmd_past', by: 'cli_1', at: NOW - 1 }

const UNSET = {
  dataset: 'orders',
  title: null,
  category: null,
  schema: null,
  schema_contract: 'discard_row' as const,
  transformations: null,
  conflict_policy: null,
  made_by: null,
}
const SET = { ...UNSET, title: 'Orders', schema: '{"type":"object"}', schema_contract: 'freeze' as const }
const before: DatasetEvent = { type: 'DatasetConfigured', data: { ...SET, ...past } }
const after = (settings: object): DatasetEvent => ({
  type: 'DatasetConfigured',
  data: { ...SET, ...settings, ...stamp },
})

const configure = (set: DatasetCommand['data']['set'], was?: string | null) => ({
  type: 'ConfigureDataset' as const,
  data: { dataset: 'orders', set, ...(was === undefined ? {} : { was }) },
  meta,
})

describe('configuring a data set', () => {
  it('that is to be new is refused when anything was set', () => {
    const fresh = {
      ...configure({ made_by: 'job_1' }),
      data: { dataset: 'orders', set: { made_by: 'job_1' }, fresh: true },
    }
    given()
      .when(fresh)
      .then(after({ ...UNSET, made_by: 'job_1' }))
    given(before).when(fresh).thenRefused('CONFLICT')
    const instead = { ...fresh, data: { ...fresh.data, set: { made_by: 'job_2' }, instead: 'job_1' } }
    given(before).when(instead).thenRefused('CONFLICT')
    given(after({ ...UNSET, made_by: 'job_1' }))
      .when(instead)
      .then(after({ ...UNSET, made_by: 'job_2' }))
  })

  it('for the first time leaves the rest as it is without settings', () => {
    given()
      .when(configure({ category: 'sales' }))
      .then(after({ ...UNSET, category: 'sales' }))
    given().when(configure({})).then(after(UNSET))
  })

  it('changes what is named, and only that', () => {
    given(before)
      .when(configure({ category: 'sales' }))
      .then(after({ category: 'sales' }))
    given(before)
      .when(configure({ schema: null, schema_contract: 'evolve' }))
      .then(after({ schema: null, schema_contract: 'evolve' }))
    given(before).when(configure({})).then(after({}))
  })

  it('with a schema that was made from data: only while the schema is the one that was seen', () => {
    const wider = '{"type":"object","title":"wider"}'
    given(before)
      .when(configure({ schema: wider }, SET.schema))
      .then(after({ schema: wider }))
    given(before)
      .when(configure({ schema: wider }, null))
      .thenRefused('CONFLICT')
    given(before)
      .when(configure({ schema: wider }, wider))
      .thenRefused('CONFLICT')
    given()
      .when(configure({ schema: wider }, null))
      .then(after({ ...UNSET, schema: wider }))
    given()
      .when(configure({ schema: wider }, wider))
      .thenRefused('CONFLICT')
  })

  it('again and again keeps the last value of each setting', () =>
    property(200, random => {
      const model: Record<string, unknown> = { ...UNSET }
      let state = datasetDecider.initial
      for (let n = 0; n < 30; n++) {
        const choices = [
          { title: random.pick([null, 'a', 'b']) },
          { category: random.pick([null, 'c']) },
          { schema: random.pick([null, '{}', '{"type":"object"}']) },
          { schema_contract: random.pick(['evolve', 'freeze', 'discard_row', 'discard_value'] as const) },
          { transformations: random.pick([null, '[]']) },
          { conflict_policy: random.pick([null, '"manual"']) },
        ]
        const set = Object.assign({}, ...choices.filter(() => random.chance(0.3)))
        const was = random.chance(0.2) ? random.pick([null, '{}']) : undefined
        const { events, refusal } = datasetDecider.decide(state, configure(set, was))
        expect(refusal === undefined).toBe(was === undefined || was === model.schema)
        if (!refusal) Object.assign(model, set)
        state = events.reduce(datasetDecider.evolve, state)
        if (state) expect(state).toEqual(model)
      }
    }))
})
