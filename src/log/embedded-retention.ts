import type { DatabaseSync } from 'node:sqlite'
import type { TopicSpec } from './log.ts'

const EVERY_MS = 60_000

/** Lets go of what an embedded log's topics need not keep. */
export interface Retention {
  /** What a topic, by its number, has to keep. */
  learn(topic: number, spec: TopicSpec): void
  /** Deletes what is too old, at most once a minute. `head`: the last offset of the log. */
  apply(head: number): void
  /** The last offset of a topic that is gone, -1 for none. */
  forgotten(topic: number): number
}

export function createRetention(db: DatabaseSync): Retention {
  const specs = new Map<number, TopicSpec>()
  const saved = db.prepare('select value from meta where name = ?')
  let due = 0

  /** The head is saved so that offsets are not reused when all batches are gone. */
  function forgetBefore(topic: number, time: number, head: number): void {
    if (!db.prepare('select 1 from batches where topic = ? and time < ? limit 1').get(topic, time)) return
    db.exec('begin immediate')
    const save = db.prepare('insert or replace into meta values (?, ?)')
    const old = db.prepare('select max(last) as last from batches where topic = ? and time < ?').get(topic, time)!
    save.run('head', String(head))
    save.run(`forgotten ${topic}`, String(old.last))
    db.prepare('delete from batches where topic = ? and time < ?').run(topic, time)
    db.exec('commit')
  }

  return {
    learn: (topic, spec) => void specs.set(topic, spec),
    apply(head) {
      if (Date.now() <= due) return
      due = Date.now() + EVERY_MS
      for (const [topic, spec] of specs) {
        if (spec.retention_ms < 0 || spec.cleanup_policy !== 'delete') continue
        try {
          forgetBefore(topic, Date.now() - spec.retention_ms, head)
        } catch {
          // What cannot be deleted now, as on a full disk, can be in a minute.
          if (db.isTransaction) db.exec('rollback')
        }
      }
    },
    forgotten: topic => Number(saved.get(`forgotten ${topic}`)?.value ?? -1),
  }
}
