import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import koffi from 'koffi'
import type { Logger } from '../telemetry/logger.ts'

/** uSockets reads again at once, without looking round, whenever a read fills its buffer of 512 KiB. */
const SOCKET_BUFFER_BYTES = 212_992
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const LISTENING = '0A'

/**
 * Keeps one fast client from holding the event loop. uSockets goes on reading a socket for as long as each read fills
 * its 512 KiB buffer, `pause()` or not: a client that sends faster than we parse would be served alone until it is done,
 * and nothing could stop it. A receive buffer smaller than that (Linux doubles the value; accepted sockets inherit it)
 * makes each read come up short, so every other socket gets its turn and `pause()` means something.
 * docs/decisions/0003-receive-window.md has the measurement.
 */
export function limitReceiveWindow(port: number, logger: Logger): void {
  try {
    const libc = koffi.load('libc.so.6')
    const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const int *value, unsigned int length)')
    for (const fd of listeningSockets(port)) {
      const failed = setsockopt(fd, SOL_SOCKET, SO_RCVBUF, [SOCKET_BUFFER_BYTES], 4)
      if (failed) throw new Error(`setsockopt(SO_RCVBUF) on descriptor ${fd} failed`)
    }
  } catch (error) {
    logger.warn({ err: error }, 'the receive buffer could not be limited: one fast stream can delay other clients')
  }
}

/** This process's descriptors that listen on a port, as Linux tells them in /proc. */
function listeningSockets(port: number): number[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const inodes = new Set<string>()
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
      if (local?.endsWith(`:${hexPort}`) && state === LISTENING) inodes.add(`socket:[${inode}]`)
    }
  }
  const found = readdirSync('/proc/self/fd').filter(fd => inodes.has(target(`/proc/self/fd/${fd}`)))
  if (found.length === 0) throw new Error(`no descriptor listens on port ${port}`)
  return found.map(Number)
}

function target(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return '' // a descriptor that was closed meanwhile
  }
}
