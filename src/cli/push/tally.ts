/** A row that was refused, for people to read. */
export interface RefusedRow {
  readonly line: number
  readonly field: string | null
  readonly code: string
  readonly message: string
}

export interface Counts {
  readonly accepted: number
  readonly rejected: number
  readonly position: string | null
}

export interface Reached extends Counts {
  /** Lines of the input that are decided, and bytes. */
  readonly lines: number
  readonly bytes: number
}

/** How far a push has come. */
export interface Tally {
  readonly reached: Reached
  snapshot(): Reached
  /** What was there at a moment, and what has come since. */
  restore(began: Reached, since: Counts, at: { lines: number; bytes: number }): void
  /** A row was refused: the first few are told. */
  tell(row: RefusedRow): void
}

const SHOWN = 10

/** A refusal in one line; most messages name their field. */
export function refusalText({ field, code, message }: Omit<RefusedRow, 'line'>): string {
  return `${field === null || message.startsWith(`${field}: `) ? '' : `${field}: `}${message} (${code})`
}

export function createTally(skipped: number, print: (line: string) => void): Tally {
  let reached: Reached = { accepted: 0, rejected: 0, position: null, lines: skipped, bytes: 0 }
  let told = 0
  return {
    get reached() {
      return reached
    },
    snapshot: () => reached,
    restore(began, { accepted, rejected, position }, { lines, bytes }) {
      reached = {
        accepted: began.accepted + accepted,
        rejected: began.rejected + rejected,
        position: position ?? began.position,
        lines: began.lines + lines,
        bytes,
      }
    },
    tell({ line, field, code, message }) {
      told++
      if (told <= SHOWN) print(`line ${line}: ${refusalText({ field, code, message })}`)
      if (told === SHOWN) print('further refused rows are in GET /rejected')
    },
  }
}
