import { type Answer, call, type Item, type Problem, pushBatch, readRecords, type Target } from './api.ts'

export interface Origin {
  dataset_id: string
  record_id: string
  strategy: string
  seed: string
}

export type MadeItem = Item & { origin?: Origin }

/** What a dilution or an augmentation answers, at once or in the end. */
export interface MadeAnswer extends Problem {
  output_dataset_id: string
  original_records: number
  final_records: number
  diluted_records: number
  quality_improvement: number
  shortfall?: number
  passed_over: Record<string, number>
  left_out: Record<string, string[]>
  augmented_records: number
  refused: Record<string, number>
  job_id: string
  status: string
  seed: string
  position: string
}

export interface LineageAnswer {
  dataset_id: string
  name: string
  records_count: number
  made_records: number
  made_by: {
    job_id: string
    type: string
    status: string
    deleted: boolean
    seed: string
    config: object
    result: object | null
  } | null
  sources: { dataset_id: string; name: string | null; strategy: string; records: number }[]
  items: { id: string; origin: Origin }[]
  next_cursor: string | null
}

/** Pushes rows, JSON texts of objects, under ids in their order, and gives the place. */
export async function pushRows(
  target: Target,
  dataset: string,
  rows: readonly string[],
  prefix = 'r',
): Promise<string> {
  let position = ''
  for (let from = 0; from < rows.length; from += 5000) {
    const records = rows.slice(from, from + 5000).map((row, n) => {
      return { id: `${prefix}${String(from + n).padStart(6, '0')}`, data: JSON.parse(row) }
    })
    const { status, text, body } = await pushBatch(target, dataset, records)
    if (status !== 200 || body.rejected > 0) throw new Error(`${status} ${text.slice(0, 500)}`)
    position = body.position
  }
  return position
}

export function dilute(
  target: Target,
  body: object,
  position = '',
  headers: Record<string, string> = {},
): Promise<Answer<MadeAnswer>> {
  return call<MadeAnswer>(target, `/datasets/dilute${at(position)}`, { body, headers })
}

export function augment(
  target: Target,
  body: object,
  position = '',
  headers: Record<string, string> = {},
): Promise<Answer<MadeAnswer>> {
  return call<MadeAnswer>(target, `/datasets/augment${at(position)}`, { body, headers })
}

function at(position: string): string {
  return position && `?min_position=${position}`
}

export const ASYNC = { prefer: 'respond-async' }

/** All records of a data set with what they were made of. */
export function madeRecords(target: Target, dataset: string, position: string): Promise<MadeItem[]> {
  return readRecords(target, dataset, position) as Promise<MadeItem[]>
}

/** Records as they can be compared: without the places, which differ from run to run. */
export function plain(items: readonly MadeItem[]): object[] {
  return items.map(({ id, data, version, origin }) => ({ id, data, version, origin }))
}

export async function lineageOf(target: Target, dataset: string, query = ''): Promise<LineageAnswer> {
  const { status, text, body } = await call<LineageAnswer>(
    target,
    `/datasets/${encodeURIComponent(dataset)}/lineage${query}`,
  )
  if (status !== 200) throw new Error(`${status} ${text}`)
  return body
}
