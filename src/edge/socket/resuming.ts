import { decodePosition, type Position } from '../../kernel/position.ts'
import type { Services } from '../services.ts'
import { type CatchUp, catchUp, hubReaches, type Lane } from './catch-up.ts'
import { placeBefore, positionOf, sourcesOf } from './changes.ts'
import type { Group } from './groups.ts'
import type { Hub } from './hub.ts'
import type { Text } from './messages.ts'

/** What catching up needs of its client. */
export interface Client {
  /** Sends in order until one is not taken; gives back how many were. */
  send(texts: readonly Text[]): number
  hasRoom(): boolean
  /** Resolves when there may be room again. */
  room(): Promise<void>
  /** All have caught up: what is published from now on is next. */
  onLive(): void
  /** What comes after these positions did not get through. */
  onLost(after: ReadonlyMap<Group, string>): void
  onFailed(error: unknown): void
}

/**
 * The filters that one client catches up with, in step: where one is further back the others wait for it. So one position
 * says how far the client is, and it gets nothing twice when it goes on with all of them from there.
 */
export interface Resuming {
  readonly active: boolean
  /** The position that includes nothing that is still to be sent; undefined when it is not active. */
  position(): string | undefined
  /** Catches up from `since` for one more. Rejects when it cannot be told how far the read model is. */
  add(group: Group, since: Position): Promise<void>
  drop(group: Group): void
  stop(): void
}

interface GroupLane extends Lane {
  readonly reaching: Set<Promise<unknown>>
}

type Places = ReadonlyMap<string, number>

const least = (a: Places, b: Places) => new Map([...a].map(([name, place]) => [name, Math.min(place, b.get(name)!)]))
const most = (a: Places, b: Places) => new Map([...a].map(([name, place]) => [name, Math.max(place, b.get(name)!)]))
const includes = (a: Places, b: Places) => [...b].every(([name, place]) => place <= a.get(name)!)

export function createResuming(services: Services, hub: Hub, client: Client): Resuming {
  const { log } = services
  const lanes = new Map<Group, GroupLane>()
  let current: CatchUp | undefined
  /** Changes with every beginning, so that what was begun before knows that it is over. */
  let turn = {}

  function stop(): void {
    current = undefined
    turn = {}
    lanes.clear()
  }

  function lose(text: Text): void {
    const before = decodePosition(placeBefore(log, text.toString()), log.id, 'position')
    const places = sourcesOf(log, before)
    const after = [...lanes].map(([group, lane]) => [group, positionOf(log, most(places, lane.after))] as const)
    stop()
    client.onLost(new Map(after))
  }

  function begin(start: Places): void {
    const ours = {}
    const alive = () => turn === ours
    turn = ours
    current = catchUp(services, hub, start, {
      lanes: () => lanes.values(),
      alive,
      hasRoom: client.hasRoom,
      room: client.room,
      send(texts) {
        const sent = client.send(texts)
        if (sent < texts.length) lose(texts[sent]!)
        return sent === texts.length
      },
      goLive() {
        stop()
        client.onLive()
      },
    })
    current.done.catch(error => {
      if (alive()) client.onFailed(error)
    })
  }

  return {
    stop,
    get active() {
      return current !== undefined
    },
    position: () => current && positionOf(log, current.seen.places),
    async add(group, since) {
      const after = sourcesOf(log, since)
      const places = current?.seen.places
      // The others are this far; where the new one is not, it is read again, and not for them.
      if (places) for (const lane of lanes.values()) lane.after = most(lane.after, places)
      const lane: GroupLane = lanes.get(group) ?? { matches: group.matches, after, reaching: new Set() }
      lanes.set(group, lane)
      lane.after = least(lane.after, after)
      if (!places) begin(after)
      else if (!includes(after, places)) begin(least(places, after))
      const reaching = hubReaches(services, hub, since, () => lanes.get(group) === lane)
      lane.reaching.add(reaching)
      await reaching.finally(() => lane.reaching.delete(reaching))
    },
    drop(group) {
      lanes.delete(group)
      if (lanes.size === 0) stop()
    },
  }
}
