import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Bench, Figures } from './bench.ts'
import { round, startClient, withService } from './live-load.ts'

const SOCKETS = 10_000
/** Sockets, and what a process has open besides. */
const FILES = SOCKETS + 1000
const SETTLE_MS = 5000

/** Both ends have one file for each socket. Node.js takes as many as the hard limit allows. */
function requireFiles(): void {
  const most = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  if (most !== 'unlimited' && Number(most) < FILES)
    throw new Error(
      `${SOCKETS} sockets need ${FILES} open files, this shell allows ${most}: run "ulimit -n ${FILES}" first`,
    )
}

export const sockets: Bench = {
  name: 'sockets',
  about: `memory of the service for each of ${SOCKETS} sockets that are subscribed and idle`,
  async run() {
    requireFiles()
    return withService(async ({ url, token, process }): Promise<Figures> => {
      const residentKb = async () => {
        await new Promise(resolve => setTimeout(resolve, SETTLE_MS))
        return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${process.child.pid}/status`, 'utf8'))![1])
      }
      const idle = { url, token, does: 'idle', dataset: 'idle', slow: 0 } as const
      const warm = startClient({ ...idle, subscribers: 100 })
      await warm.ready
      const before = await residentKb()
      const client = startClient<{ sockets: number }>({ ...idle, subscribers: SOCKETS })
      await client.ready
      const after = await residentKb()
      for (const each of [warm, client]) each.go()
      for (const each of [warm, client]) each.go()
      const { sockets } = await client.result
      return { kb_per_socket: round((after - before) / sockets), sockets }
    })
  },
}
