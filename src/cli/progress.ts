/** What there is to tell of long work. */
export interface Told {
  readonly text: string
  /** How much of it is done, from 0 to 1; undefined where nobody knows how much it is. */
  readonly part?: number | undefined
}

export interface Progress {
  /** Prints a line on stdout that is not drawn over. */
  line(text: string): void
  /** The same on stderr. */
  note(text: string): void
  /** Takes away what is drawn. */
  stop(): void
}

interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const DRAW_MS = 200
const LINE_MS = 5000
const BAR = 24

/**
 * Tells on stderr how far long work is: a bar that is drawn again and again on a terminal, else a plain line every five
 * seconds. `told` is asked each time.
 */
export function showProgress(told: () => Told, screen: Screen = process.stderr): Progress {
  /** Where the work began, or its present stage did. */
  let first: { at: number; part: number } | undefined
  let drawn = false
  const clear = () => {
    if (drawn) screen.write('\r\x1b[K')
    drawn = false
  }
  const show = () => {
    const { text, part } = told()
    const now = performance.now()
    if (part !== undefined && !(first && first.part <= part)) first = { at: now, part }
    const left = part === undefined ? undefined : remaining((now - first!.at) / 1000, part - first!.part, 1 - part)
    const line = lineOf(text, part, left, screen.isTTY === true)
    clear()
    // A line that wraps could not be drawn over.
    screen.write(screen.isTTY ? line.slice(0, (screen.columns ?? 80) - 1) : `${line}\n`)
    drawn = screen.isTTY === true
  }
  const timer = setInterval(show, screen.isTTY ? DRAW_MS : LINE_MS)
  timer.unref()
  return {
    line(text) {
      clear()
      console.log(text)
    },
    note(text) {
      clear()
      screen.write(`${text}\n`)
    },
    stop() {
      clearInterval(timer)
      clear()
    },
  }
}

/** Seconds until the rest is done, when a part of it took so long; undefined while that part is too small to tell. */
function remaining(seconds: number, done: number, left: number): number | undefined {
  return done > 0.005 ? (seconds / done) * left : undefined
}

function lineOf(text: string, part: number | undefined, left: number | undefined, bar: boolean): string {
  if (part === undefined) return text
  const full = Math.floor(part * BAR)
  const drawn = bar ? `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}] ` : ''
  return `${drawn}${Math.floor(part * 100)} %  ${text}${left === undefined ? '' : `, ${duration(left)} left`}`
}

/** Seconds as `42 s`, `3 min 20 s`, `2 h 05 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const two = (n: number) => String(n).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`
}

/** A count as `1,234,567`. */
export function count(n: number): string {
  return Math.floor(n).toLocaleString('en')
}

/** Bytes as `12.3 MB`, a MB being 1,000,000 of them. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`
}
