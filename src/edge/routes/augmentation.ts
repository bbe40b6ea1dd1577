import { z } from 'zod'
import { readAugmentation } from '../../catalog/augmenters/index.ts'
import type { AugmentationJob } from '../../catalog/connectors/augmentation.ts'
import { readBody } from '../body.ts'
import { DATASET_TOPICS } from '../datasets.ts'
import { datasetName, makeDataset, outputBody, sourceAt } from '../made-datasets.ts'
import { reachMinPosition } from '../reach.ts'
import type { Route } from '../router.ts'

const body = z.strictObject({
  ...outputBody,
  dataset_id: datasetName,
  augmentation: z.record(z.string(), z.unknown()),
})

const augment: Route = {
  method: 'POST',
  path: '/datasets/augment',
  auth: 'sync:write',
  limit: 'api',
  async handle(request) {
    const { services, exchange } = request
    const { config: set } = services
    const asked = await readBody(exchange, body as z.ZodType<z.infer<typeof body>>, { limit: set.jobBytes })
    const { augmentation } = asked
    readAugmentation(augmentation, 'augmentation', services.augmentLimits, set.translateUrl !== undefined)
    await reachMinPosition(request, DATASET_TOPICS)
    const source = await sourceAt(services, 'dataset_id', asked.dataset_id)
    const config = (output: AugmentationJob['output'], seed: string): AugmentationJob => ({
      ...{ source, augmentation, seed, output },
    })
    return makeDataset(request, asked, {
      type: 'augmentation',
      config,
      called: `${source.name.slice(0, 150)} augmented`,
    })
  },
}

export const augmentation: readonly Route[] = [augment]
