import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'
import { call, pushLines } from './api.ts'
import { logFile } from './migrate.ts'
import { type Service, startService, untilProjected } from './service.ts'

/** How many records the log that `makeLog` makes has. */
export const RECORDS = 12_000

const dirs: string[] = []

/** A folder of its own, until `removeLogs`. */
export function emptyDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sync-migrate-'))
  dirs.push(dir)
  return dir
}

export function removeLogs(): void {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
}

function lines(from: number, count: number): string {
  const line = (n: number) => `{"id":"r${n % 5000}","data":{"n":${n},"text":"${'x'.repeat(n % 300)}"}}\n`
  return Array.from({ length: count }, (_, i) => line(from + i)).join('')
}

/** Pushes records, one row that is refused, and makes four API keys. Gives back the push's position. */
export async function fill(service: Service, from: number, count: number): Promise<string> {
  const { body } = await pushLines(service, 'dataset=flights', `${lines(from, count)}not json\n`)
  expect(body).toMatchObject({ accepted: count, rejected: 1 })
  for (let n = 0; n < 4; n++)
    expect((await call(service, '/api-keys', { body: { name: `k${n}`, permissions: ['sync:read'] } })).status).toBe(201)
  await untilProjected(service, body.position)
  return body.position
}

/** The DATA_DIR of a service that was used and stopped. */
export async function makeLog(): Promise<string> {
  const dataDir = emptyDir()
  const service = await startService({}, { dataDir })
  await fill(service, 0, RECORDS)
  await service.stop()
  return dataDir
}

/** A copy of a DATA_DIR's log, and of nothing else in it, changed by `change`. */
export function copyOfLog(original: string, change: (db: DatabaseSync) => void = () => undefined): string {
  const dataDir = emptyDir()
  const db = new DatabaseSync(logFile(original))
  db.prepare('vacuum into ?').run(logFile(dataDir))
  db.close()
  const copy = new DatabaseSync(logFile(dataDir))
  change(copy)
  copy.close()
  return dataDir
}
