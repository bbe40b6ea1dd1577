import type { Destination } from './destination.ts'

/** Every destination outside there is: a destination a file, a line here. */
export const destinations: readonly Destination[] = []

export function destinationOf(type: string): Destination | undefined {
  return destinations.find(destination => destination.type === type)
}
