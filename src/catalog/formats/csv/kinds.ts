export interface SplitterOptions {
  readonly delimiter: string
  readonly maxRowBytes: number
  readonly maxColumns: number
  /** Whether bytes from 0x81 to 0xFE begin a character whose second byte may look like ASCII, as in GB 18030. */
  readonly doubleByte: boolean
}

export const LF = 10
export const CR = 13
export const QUOTE = 34
const BACKSLASH = 92

// What a byte means to the splitter; 0 is one that means nothing.
/** It must be escaped in JSON. */
export const CONTROL = 1
/** It begins a character of several bytes. */
export const LEAD = 2
/** From here on a byte ends a cell. */
export const DELIMITER = 3
export const END = 4
export const QUOTES = 5

/** What each byte means outside of quotes, and inside. */
export function kindsOf({ delimiter, doubleByte }: SplitterOptions): { plain: Uint8Array; quoted: Uint8Array } {
  const plain = new Uint8Array(256)
  for (let b = 0; b < 32; b++) plain[b] = CONTROL
  plain[BACKSLASH] = CONTROL
  const quoted = plain.slice()
  plain[QUOTE] = CONTROL
  quoted[QUOTE] = QUOTES
  plain[LF] = plain[CR] = END
  if (doubleByte) for (let b = 0x81; b < 0xff; b++) plain[b] = LEAD
  plain[delimiter.charCodeAt(0)] = DELIMITER
  return { plain, quoted }
}
