import type { ErrorCode } from './errors.ts'

/** Who asked, when, and under which command. */
export interface CommandMeta {
  readonly command_id: string
  /** The client, API key or runner that asks. */
  readonly actor: string
  readonly request_id: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** What a decider makes of a command: events, or a refusal with its reason. Some refusals have events all the same. */
export interface Decision<Event> {
  readonly events: readonly Event[]
  readonly refusal?: { readonly code: ErrorCode; readonly message: string }
}

/**
 * The rules of one kind of aggregate, pure: time, ids and anything random come in with the command.
 * state = events.reduce(evolve, initial), decision = decide(state, command).
 */
export interface Decider<State, Command, Event> {
  readonly initial: State
  evolve(state: State, event: Event): State
  decide(state: State, command: Command): Decision<Event>
}

export function accept<Event>(...events: Event[]): Decision<Event> {
  return { events }
}

/** A refusal; the events, if any, follow all the same. */
export function refuse<Event>(code: ErrorCode, message: string, ...events: Event[]): Decision<Event> {
  return { events, refusal: { code, message } }
}
