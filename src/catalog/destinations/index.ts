import { database } from './database.ts'
import type { Destination } from './destination.ts'
import { kafka } from './kafka.ts'

/** Every destination outside that there is: a destination a file, a line here. */
export const destinations: readonly Destination[] = [database, kafka]

export function destinationOf(type: string): Destination | undefined {
  return destinations.find(destination => destination.type === type)
}

/** Whether rows land outside by a job's `destination`, rather than in the data set of that name. */
export function isOutside(destination: { readonly type: string; readonly url?: unknown } | undefined): boolean {
  return destination !== undefined && (destination.type !== 'database' || destination.url !== undefined)
}
