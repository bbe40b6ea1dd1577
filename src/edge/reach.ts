import { DomainError } from '../kernel/errors.ts'
import { offsetIn, type Position } from '../kernel/position.ts'
import type { Services } from './services.ts'

/**
 * Waits until the read model has what a position includes of one topic, so that the next read sees it. Not for long: a
 * read model that lags behind does not make what was decided undone.
 */
export async function reach({ log, progress }: Services, topic: string, position: Position): Promise<void> {
  const offsets = log.streams(topic).map(({ name }) => [name, offsetIn(position, name)] as const)
  await progress.wait({ log: log.id, offsets: new Map(offsets) }).catch(error => {
    if (!(error instanceof DomainError) || error.code !== 'NOT_YET_PROJECTED') throw error
  })
}
