interface Resting<News> {
  timer: NodeJS.Timeout
  /** The newest that came meanwhile. */
  held: News | undefined
}

/** Lets news of each thing through every so often: the first at once, of those that come too soon the newest, later. */
export interface Conflation<News> {
  tell(about: string, news: News): Promise<void>
  /** Sends what is held back of a thing, since something else is to be told of it. */
  flush(about: string): Promise<void>
  /** Forgets what is held back. */
  stop(): void
}

export function createConflation<News>(everyMs: number, send: (news: News) => Promise<void>): Conflation<News> {
  const resting = new Map<string, Resting<News>>()

  function rest(about: string): void {
    const timer = setTimeout(() => {
      const { held } = resting.get(about)!
      resting.delete(about)
      if (held === undefined) return
      rest(about)
      void send(held)
    }, everyMs)
    resting.set(about, { timer: timer.unref(), held: undefined })
  }

  return {
    async tell(about, news) {
      const known = resting.get(about)
      if (known) {
        known.held = news
        return
      }
      rest(about)
      await send(news)
    },
    async flush(about) {
      const known = resting.get(about)
      if (known?.held === undefined) return
      const { held } = known
      known.held = undefined
      await send(held)
    },
    stop() {
      for (const { timer } of resting.values()) clearTimeout(timer)
      resting.clear()
    },
  }
}
