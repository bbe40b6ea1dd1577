import type { Log } from '../../log/log.ts'
import { placeBefore } from './changes.ts'
import type { Connection } from './connection.ts'
import type { Group } from './groups.ts'
import type { Hub, Listener } from './hub.ts'
import { newsText } from './jobs.ts'
import { isProgress, textOf } from './messages.ts'

/** How one client hears what is new. */
export interface Hearing {
  /**
   * Hears these groups from now on, and no others. What is published has the position of the hub: a client that has not
   * all of what came before is to hear `apart`, each message with the position where it stands, for if it went on from the
   * hub's it would miss the rest.
   */
  set(groups: ReadonlySet<Group>, apart: boolean): void
}

export function createHearing(
  hub: Hub,
  log: Log,
  connection: Connection,
  client: {
    standing(): string
    hasRoom(): boolean
    /** What comes after this position was not taken. */
    onLost(after: string): void
  },
): Hearing {
  /** With a listener of their own, or through their topic. */
  const heard = new Map<Group, Listener | undefined>()

  function listenerOf({ matches, matchesJob }: Group): Listener {
    return {
      matches,
      matchesJob,
      onTold(told, text) {
        if (!connection.send(textOf(told, client.standing()))) client.onLost(placeBefore(log, text()))
      },
      onJob(news) {
        const text = newsText(news, client.standing())
        if (isProgress(news.type)) return void (client.hasRoom() && connection.send(text))
        if (!connection.send(text)) client.onLost(hub.position())
      },
    }
  }

  return {
    set(groups, apart) {
      for (const [group, listener] of heard) {
        if (groups.has(group) && apart === (listener !== undefined)) continue
        heard.delete(group)
        if (listener) hub.listeners.delete(listener)
        else connection.unlisten(group.topic)
      }
      for (const group of groups) {
        if (heard.has(group)) continue
        const listener = apart ? listenerOf(group) : undefined
        heard.set(group, listener)
        if (listener) hub.listeners.add(listener)
        else connection.listen(group.topic)
      }
    },
  }
}
