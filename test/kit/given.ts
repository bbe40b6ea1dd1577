import { expect } from 'vitest'
import type { Decider } from '../../src/kernel/decider.ts'
import type { ErrorCode } from '../../src/kernel/errors.ts'

/**
 * Given-when-then for a decider: `given = specification(decider)`, then
 * `given(...events).when(command).then(...events)`, or `.thenRefused(code, ...events)`.
 */
export function specification<State, Command, Event>({ initial, evolve, decide }: Decider<State, Command, Event>) {
  return (...past: Event[]) => ({
    when(command: Command) {
      const decision = decide(past.reduce(evolve, initial), command)
      return {
        /** The command is accepted and exactly these events follow. */
        // biome-ignore lint/suspicious/noThenProperty: given-when-then; nobody awaits it
        then(...events: Event[]): void {
          expect(decision).toEqual({ events })
        },
        /** The command is refused, for a reason in words; these events follow all the same. */
        thenRefused(code: ErrorCode, ...events: Event[]): void {
          expect(decision).toEqual({ events, refusal: { code, message: expect.stringMatching(/\w/) } })
        },
      }
    },
  })
}
