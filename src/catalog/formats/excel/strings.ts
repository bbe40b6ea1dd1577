import { Broken } from '../broken.ts'
import type { FormatLimits } from '../format.ts'
import { readXml } from './parts.ts'
import type { Zip } from './zip.ts'

/** The texts that cells name by number, kept as JSON in one buffer. */
export interface SharedStrings {
  /** The JSON text of a string; undefined when there is none of that number. */
  get(index: number): string | undefined
}

export const NO_STRINGS: SharedStrings = { get: () => undefined }

/** Reads them all. Throws a Broken when they are more than may be held. */
export async function readStrings(zip: Zip, part: string, limits: FormatLimits): Promise<SharedStrings> {
  let bytes = Buffer.alloc(65_536)
  let size = 0
  let ends = new Float64Array(1024)
  let count = 0
  const text = createTextCollector(limits.maxHeldBytes)

  function add(json: string): void {
    const room = size + json.length * 3
    if (room > bytes.length) {
      const larger = Buffer.alloc(Math.max(room, bytes.length * 2))
      bytes.copy(larger, 0, 0, size)
      bytes = larger
    }
    size += bytes.write(json, size)
    if (count === ends.length) {
      const longer = new Float64Array(count * 2)
      longer.set(ends)
      ends = longer
    }
    ends[count++] = size
    const held = size + count * 8
    if (held > limits.maxHeldBytes) throw new Broken(`its strings take more than ${limits.maxHeldBytes} bytes`)
  }

  await readXml(zip, part, limits, {
    open(name) {
      if (name === 'si') text.begin()
      else text.open(name)
    },
    text: text.text,
    close(name) {
      if (name === 'si') add(JSON.stringify(decodeEscapes(text.end())))
      else text.close(name)
    },
  })
  return {
    get(index) {
      if (!(index >= 0 && index < count)) return undefined
      return bytes.toString('utf8', index === 0 ? 0 : ends[index - 1]!, ends[index])
    },
  }
}

/** Gathers the text of a string or of an inline one: its `t` elements, but not those that say how it is spoken. */
export interface TextCollector {
  begin(): void
  open(name: string): void
  text(text: string): void
  close(name: string): void
  end(): string
}

export function createTextCollector(maxChars: number): TextCollector {
  let gathered = ''
  let inText = false
  let spoken = 0
  return {
    begin() {
      gathered = ''
      inText = false
      spoken = 0
    },
    open(name) {
      if (name === 'rPh') spoken++
      else if (name === 't') inText = spoken === 0
    },
    text(text) {
      if (!inText) return
      gathered += text
      if (gathered.length > maxChars) throw new Broken(`it has a string of more than ${maxChars} characters`)
    },
    close(name) {
      if (name === 'rPh') spoken--
      else if (name === 't') inText = false
    },
    end: () => gathered,
  }
}

/** Excel writes characters that XML does not have as `_x0000_`, and `_x005F_` for a `_` that might be taken for that. */
export function decodeEscapes(text: string): string {
  if (!text.includes('_x')) return text
  return text.replace(/_x([0-9a-fA-F]{4})_/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))).toWellFormed()
}
