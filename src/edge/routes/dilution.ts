import { z } from 'zod'
import type { DilutionJob } from '../../catalog/connectors/dilution.ts'
import { invalid } from '../../kernel/errors.ts'
import { readBody } from '../body.ts'
import { DATASET_TOPICS } from '../datasets.ts'
import { datasetName, makeDataset, outputBody, sourceAt } from '../made-datasets.ts'
import { reachMinPosition } from '../reach.ts'
import type { Route } from '../router.ts'

const MOST_SETS = 20
const MOST_FIELDS = 20
const DEFAULT_THRESHOLD = 0.8

const share = z.number().min(0).max(1)

const body = z.strictObject({
  ...outputBody,
  source_dataset_id: datasetName,
  dilution_dataset_ids: z.array(datasetName).min(1).max(MOST_SETS),
  config: z.strictObject({
    dilution_ratio: share,
    matching_fields: z.array(z.string().min(1).max(500)).min(1).max(MOST_FIELDS),
    quality_threshold: share.default(DEFAULT_THRESHOLD),
  }),
})

const dilute: Route = {
  method: 'POST',
  path: '/datasets/dilute',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { services, exchange } = request
    const asked = await readBody(exchange, body as z.ZodType<z.infer<typeof body>>, { limit: services.config.jobBytes })
    await reachMinPosition(request, DATASET_TOPICS)
    const source = await sourceAt(services, 'source_dataset_id', asked.source_dataset_id)
    const dilution: DilutionJob['dilution'] = []
    for (const [at, given] of asked.dilution_dataset_ids.entries()) {
      const field = `dilution_dataset_ids.${at}`
      const set = await sourceAt(services, field, given)
      if (set.name === source.name) throw invalid(field, 'a data set cannot be diluted with itself')
      if (dilution.some(({ name }) => name === set.name)) throw invalid(field, `${given} is named twice`)
      dilution.push(set)
    }
    const { dilution_ratio: ratio, matching_fields, quality_threshold: threshold } = asked.config
    const config = (output: DilutionJob['output'], seed: string): DilutionJob => ({
      ...{ source, dilution, ratio, matching_fields, threshold, seed, output },
    })
    return makeDataset(request, asked, { type: 'dilution', config, called: `${source.name.slice(0, 150)} diluted` })
  },
}

export const dilution: readonly Route[] = [dilute]
