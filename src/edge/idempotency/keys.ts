/** How a push ended, as it is kept under its key. Both are texts that nobody here looks into. */
export interface Kept {
  /** Says which body the push had. */
  readonly fingerprint: string
  readonly answer: string
}

/** The right to do what a key stands for; it ends with one of its two calls. */
export interface Claim {
  /**
   * Keeps how it ended; resolves when that would survive a kill. Rejects with UNAVAILABLE when it cannot be kept: the key
   * is then as free as before.
   */
  finish(kept: Kept): Promise<void>
  /** Gives the key back, so that the same push can be made again. */
  release(): Promise<void>
}

export type Begun =
  | { readonly state: 'fresh'; readonly claim: Claim }
  | { readonly state: 'running' }
  | { readonly state: 'done'; readonly kept: Kept }

/**
 * Idempotency keys, by their hashes. Laws:
 *
 * 1. Of any number of begins of one key at once exactly one is fresh; the others are `running` until its claim ends.
 * 2. From `finish` on a key is done, with what was kept, for as long as the configuration says, over a restart or kill too.
 * 3. A claim whose process has died is given up: the next begin after that (in Redis: a lease later) is fresh.
 * 4. A key that was released, or whose time is over, is fresh.
 */
export interface Keys {
  /** `hash` has at most 64 characters. Rejects with UNAVAILABLE when nobody can say. */
  begin(hash: string): Promise<Begun>
  stop(): Promise<void>
}

/** One key that is done, on its way to the disk. */
export interface Done extends Kept {
  readonly hash: string
}

/** The one who writes keys to the disk: it blocks while it does, so it has a thread of its own. */
export interface Keeper {
  /** Keeps all of them in one transaction; resolves with how many others had to be dropped to make room. */
  keep(done: readonly Done[]): Promise<number>
  stop(): Promise<void>
}
