import { TextDecoder } from 'node:util'
import { Broken } from '../broken.ts'
import type { FormatLimits } from '../format.ts'
import { attribute, createXmlScanner, type XmlHandler } from './xml.ts'
import type { Zip } from './zip.ts'

/** Reads a part as XML. After each piece of it `between` is called and awaited, also before an error is passed on. */
export async function readXml(
  zip: Zip,
  name: string,
  limits: FormatLimits,
  handler: XmlHandler,
  between?: () => Promise<void> | undefined,
): Promise<void> {
  const scanner = createXmlScanner(handler, { maxToken: limits.maxRowBytes, maxDepth: limits.maxDepth })
  let decoder: TextDecoder | undefined
  try {
    for await (const chunk of zip.part(name)) {
      decoder ??= decoderFor(chunk)
      scanner.push(decode(decoder, chunk, true))
      const wait = between?.()
      if (wait) await wait
    }
    if (decoder) scanner.push(decode(decoder, new Uint8Array(), false))
    scanner.finish()
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    await between?.()
    throw error.message.includes(name) ? error : new Broken(`${name}: ${error.message}`, { cause: error })
  }
  await between?.()
}

function decoderFor(head: Buffer): TextDecoder {
  const wide =
    head[0] === 0xff && head[1] === 0xfe ? 'utf-16le' : head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : undefined
  return new TextDecoder(wide ?? 'utf-8', { fatal: true })
}

function decode(decoder: TextDecoder, bytes: Uint8Array, stream: boolean): string {
  try {
    return decoder.decode(bytes, { stream })
  } catch (cause) {
    throw new Broken(`its text is not ${decoder.encoding}`, { cause })
  }
}

/** Where a relationship of `source` leads, as the name of a part. */
export function resolvePart(source: string, target: string): string {
  const steps = target.startsWith('/') ? [] : source.split('/').slice(0, -1)
  for (const step of target.split('/')) {
    if (step === '..') steps.pop()
    else if (step !== '' && step !== '.') steps.push(step)
  }
  return steps.join('/')
}

export interface Relationship {
  id: string
  /** The last word of its type, such as `worksheet`. */
  type: string
  part: string
}

/** What a part, '' for the package itself, leads to inside of the file. What leads outside is left out. */
export async function relationshipsOf(zip: Zip, part: string, limits: FormatLimits): Promise<Relationship[]> {
  const slash = part.lastIndexOf('/') + 1
  const name = `${part.slice(0, slash)}_rels/${part.slice(slash)}.rels`
  const found: Relationship[] = []
  if (!zip.has(name)) return found
  await readXml(zip, name, limits, {
    open(tag, attributes) {
      if (tag !== 'Relationship' || attribute(attributes, 'TargetMode') === 'External') return
      const type = attribute(attributes, 'Type') ?? ''
      const target = resolvePart(part, attribute(attributes, 'Target') ?? '')
      found.push({ id: attribute(attributes, 'Id') ?? '', type: type.slice(type.lastIndexOf('/') + 1), part: target })
    },
    text: () => undefined,
    close: () => undefined,
  })
  return found
}
