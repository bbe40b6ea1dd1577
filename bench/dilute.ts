import { dilute as diluting } from '../test/kit/made-datasets.ts'
import { publicRows, withNoise } from '../test/kit/noisy.ts'
import { seeded } from '../test/kit/random.ts'
import type { Bench } from './bench.ts'
import { fillDataset, throughService, withService } from './made.ts'

const RATIO = 0.3
/** Rows to choose from for each of the source. */
const OFFERED = 0.4

export const dilute: Bench = {
  name: 'dilute',
  about:
    'rows a second of a dilution of 1,000,000 noisy rows through the service, from the request to the end of the job',
  run: options =>
    withService(async service => {
      const records = Number(options.records ?? 1_000_000)
      const clean = publicRows('flights-20k.json')
      const noisy = withNoise(clean, 0.1, seeded(1))
      // Each row once: its number in place of its year.
      await fillDataset(service, 'noisy', records, n => noisy[n % noisy.length]!.replace('2001', String(n)))
      const offered = Math.ceil(records * OFFERED)
      await fillDataset(service, 'good', offered, n => clean[n % clean.length]!.replace('2001', String(records + n)))
      const config = { dilution_ratio: RATIO, matching_fields: ['origin'], quality_threshold: 0.8 }
      const body = { source_dataset_id: 'noisy', dilution_dataset_ids: ['good'], config, seed: '1' }
      const { result, ...figures } = await throughService(service, headers => diluting(service, body, '', headers))
      const { diluted_records, quality_improvement } = result
      return { ...figures, diluted_records, quality_improvement, peak_mb: Math.round(service.peakMb()) }
    }),
}
