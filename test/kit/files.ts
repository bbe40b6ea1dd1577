import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  checkOptions,
  FileDamaged,
  type Format,
  type FormatLimits,
  type Refusal,
} from '../../src/catalog/formats/format.ts'
import { DEFAULT_LIMITS } from './limits.ts'

export interface Refused extends Refusal {
  row: number
  original: Buffer
  originalBytes: number
}

/** What a reading of a file gave. */
export interface Reading {
  /** The JSON texts of the rows, by number. */
  rows: Map<number, string>
  refused: Refused[]
  notices: string[]
  /** The FileDamaged that ended it. Any other error is thrown. */
  damage: FileDamaged | undefined
  /** How many rows it answered; undefined when it was damaged. */
  count: number | undefined
}

export interface ReadingOptions {
  options?: Record<string, unknown>
  limits?: Partial<FormatLimits>
  after?: number
  signal?: AbortSignal
}

/** A file for the time of `use`. */
export async function withFile<T>(bytes: Uint8Array | string, use: (path: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'sync-file-'))
  try {
    const path = join(dir, 'file')
    writeFileSync(path, bytes)
    return await use(path)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Reads a file, given by its bytes or its path, and keeps everything that it gives. */
export async function readAll(
  format: Format,
  file: Uint8Array | string | { path: string },
  { options = {}, limits, after, signal }: ReadingOptions = {},
): Promise<Reading> {
  if (typeof file === 'string' || file instanceof Uint8Array) {
    return withFile(file, path => readAll(format, { path }, { options, limits, after, signal } as ReadingOptions))
  }
  const reading: Reading = { rows: new Map(), refused: [], notices: [], damage: undefined, count: undefined }
  const sink = {
    row: (number: number, json: string) => void reading.rows.set(number, json),
    refuse(row: number, refusal: Refusal, original: Buffer, originalBytes: number) {
      reading.refused.push({ row, ...refusal, original, originalBytes })
    },
  }
  const control = {
    limits: { ...DEFAULT_LIMITS, ...limits },
    onNotice: (notice: string) => void reading.notices.push(notice),
    ...(after !== undefined && { after }),
    ...(signal && { signal }),
  }
  try {
    reading.count = await format.read(file.path, checkOptions(format, options), sink, control)
  } catch (error) {
    if (!(error instanceof FileDamaged)) throw error
    reading.damage = error
  }
  return reading
}

/** The bytes of an example's input. */
export function inputOf(input: string | { readonly base64: string }): Buffer {
  return typeof input === 'string' ? Buffer.from(input) : Buffer.from(input.base64, 'base64')
}
