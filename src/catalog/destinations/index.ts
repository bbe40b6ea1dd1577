import { database } from './database.ts'
import type { Destination } from './destination.ts'
import { kafka } from './kafka.ts'

/** Every destination outside that there is: a destination a file, a line here. */
export const destinations: readonly Destination[] = [database, kafka]

export function destinationOf(type: string): Destination | undefined {
  return destinations.find(destination => destination.type === type)
}
