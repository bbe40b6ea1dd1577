import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'
import { call } from './api.ts'
import { until } from './processes.ts'
import type { Service } from './service.ts'

export interface Projection {
  name: string
  position: string
  lag: number
  version: number
  rebuild: { id: string; state: string; progress: number | null; lag: number | null; reason: string } | null
  last_rebuild: {
    id: string
    state: string
    reason: string
    error: string | null
    compared: {
      version: number
      version_before: number
      rows: number
      differing: number
      gone: number
      tables: { table: string; rows: number; changed: number; live_only: number; made_only: number; keys: string[][] }[]
    }
  } | null
}

export async function projectionOf(service: Service, name: string): Promise<Projection> {
  const { status, body, text } = await call<Projection>(service, `/projections/${name}`)
  expect(status, text).toBe(200)
  return body
}

/** Asks for a rebuild; resolves with its id. */
export async function askForRebuild(service: Service, name: string): Promise<string> {
  const { status, text, body } = await call<Projection>(service, `/projections/${name}/rebuild`, { method: 'POST' })
  expect(status, text).toBe(202)
  expect(body).toMatchObject({ name, position: expect.any(String), rebuild: { reason: 'asked' } })
  return body.rebuild!.id
}

/** Resolves with how a projection's last rebuild ended, once none is under way. */
export async function untilRebuilt(service: Service, name: string): Promise<NonNullable<Projection['last_rebuild']>> {
  let last: Projection | undefined
  const ended = async () => {
    last = await projectionOf(service, name)
    return last.rebuild === null ? last.last_rebuild : undefined
  }
  return (await until(`the rebuild of ${name} to end`, ended, 120_000).catch(error => {
    throw new Error(`${error.message}: ${JSON.stringify(last)} ${service.process.output().slice(-2000)}`)
  }))!
}

/** The tables of a read model in a file that are of no use any more, or not yet. */
export function leftovers(file: string): string[] {
  const db = new DatabaseSync(file)
  const names = db.prepare("select name from sqlite_schema where type = 'table' and name like '%~%'").all()
  const checkpoints = db.prepare("select projection as name from checkpoints where projection like '%~%'").all()
  const generations = db.prepare("select projection || state as name from generations where state <> 'live'").all()
  db.close()
  return [...names, ...checkpoints, ...generations].map(row => row.name as string)
}
