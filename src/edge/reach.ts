import { DomainError, invalid } from '../kernel/errors.ts'
import type { Position } from '../kernel/position.ts'
import { readPosition } from './positions.ts'
import type { Request } from './router.ts'
import type { Services } from './services.ts'

/**
 * Waits until the read model has what a position includes of one topic, so that the next read sees it. Not for long: a
 * read model that lags behind does not make what was decided undone.
 */
export async function reach({ progress }: Services, topic: string, position: Position): Promise<void> {
  await progress.wait(position, [topic]).catch(error => {
    if (!(error instanceof DomainError) || error.code !== 'NOT_YET_PROJECTED') throw error
  })
}

/** Waits until what a request reads, made of these topics, has reached its `min_position`, when it names one. */
export async function reachMinPosition(request: Request, topics: readonly string[]): Promise<void> {
  // An answer from now would be taken for one from then.
  if (request.exchange.query.get('as_of') !== null)
    throw invalid(
      'as_of',
      'this has no past states; data sets with their records and quality, jobs, runs, logs and conflicts have',
    )
  await reachAsked(request, topics)
}

/** The same for a read that may also be of a moment in the past. */
export async function reachAsked({ exchange, services }: Request, topics: readonly string[]): Promise<void> {
  const text = exchange.query.get('min_position')
  if (text !== null) await services.progress.wait(await readPosition(services.log, text, 'min_position'), topics)
}
