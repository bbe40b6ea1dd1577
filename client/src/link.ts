import type { Incoming } from './messages.ts'

/** Silent for so long, a connection is asked whether it is still there. */
const ASK_MS = 30_000
/** It is given up when it has not answered until then. */
const DEAD_MS = 45_000
const LOOK_MS = 5000

/** A WebSocket class: the global one of browsers and Node 22, or that of the package `ws`. */
export type WebSocketClass = new (url: string) => { send(text: string): void; close(code?: number): void }

/** What all of them have, which their types say in ways of their own. */
interface Socket {
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  onerror: (() => void) | null
  send(text: string): void
  close(code?: number): void
}

/** Why a connection is over. */
export interface Ending {
  readonly code: number
  readonly reason: string
  /** Whether it had been made. A browser does not say why it was not. */
  readonly opened: boolean
}

export interface Link {
  send(type: string, payload?: object): void
  /** Nothing is heard of it after that. */
  close(): void
}

/** One WebSocket, watched: `onEnd` is called once, also when the other side has silently gone. */
export function openLink(
  webSocket: WebSocketClass,
  url: string,
  hear: {
    onOpen(link: Link): void
    onMessage(message: Incoming, length: number): void
    onEnd(ending: Ending): void
  },
): Link {
  const socket = new webSocket(url) as unknown as Socket
  let opened = false
  let over = false
  let heardAt = Date.now()
  let asked = false
  const watching = setInterval(() => {
    const silent = Date.now() - heardAt
    if (silent > DEAD_MS) end({ code: 1006, reason: 'the connection is silent', opened })
    else if (silent > ASK_MS && opened && !asked) {
      asked = true
      link.send('ping')
    }
  }, LOOK_MS)

  function end(ending: Ending): void {
    if (over) return
    link.close()
    hear.onEnd(ending)
  }

  const link: Link = {
    send(type, payload) {
      if (!over) socket.send(JSON.stringify(payload ? { type, payload } : { type }))
    },
    close() {
      if (over) return
      over = true
      clearInterval(watching)
      socket.close()
    },
  }
  socket.onopen = () => {
    if (over) return
    opened = true
    heardAt = Date.now()
    hear.onOpen(link)
  }
  socket.onmessage = ({ data }) => {
    if (over) return
    heardAt = Date.now()
    asked = false
    const text = String(data)
    hear.onMessage(JSON.parse(text), text.length)
  }
  socket.onclose = ({ code, reason }) => end({ code, reason: String(reason), opened })
  socket.onerror = () => {
    // What went wrong is in the close that follows, as far as anyone is told; Node 22's has none when no upgrade was made.
    if (!opened) setTimeout(() => end({ code: 1006, reason: 'the connection could not be made', opened }), 0)
  }
  return link
}
