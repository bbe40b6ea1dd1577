import { mergeRecord, type Push, type RecordState } from '../../src/domain/record.ts'

const PLAIN = { op: 'upsert' as const, upsert: true, version: null, updated_at: null, source: 'till' }

/** A pushed record that may conflict; `policy` is that of its data set, as JSON text, null for the default one. */
export function pushed(data: string, more: Partial<Push> & { policy?: string | null } = {}): Push {
  const { policy = null, ...rest } = more
  const conflict = { policy, resolves: null, resolution: null, write: true }
  return { ...PLAIN, data, conflict, ...rest }
}

/** A removal; the rest as for `pushed`. */
export function removed(more: Parameters<typeof pushed>[1] = {}): Push {
  return pushed('null', { op: 'delete', ...more })
}

/** What is there after these pushes, one after the other. */
export function rowAfter(...pushes: readonly Push[]): RecordState | undefined {
  return pushes.reduce<RecordState | undefined>((row, push) => mergeRecord(row, push)?.state ?? row, undefined)
}

/** Given-when-then for a row: `given(...pushes).when(push)` gives what the row holds then, and the conflict. */
export function given(...past: readonly Push[]) {
  return {
    when(push: Push) {
      const row = rowAfter(...past)
      const effect = mergeRecord(row, push)
      const { data, version } = effect?.state ?? row ?? { data: undefined, version: 0 }
      const { type, policy, resolution, fields } = effect?.conflict ?? {}
      return { data, version, conflict: effect?.conflict ? { type, policy, resolution, fields } : undefined }
    },
  }
}
