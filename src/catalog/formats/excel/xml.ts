import { Broken } from '../broken.ts'

/** Told of the parts of an XML document in their order. Names come without a prefix. */
export interface XmlHandler {
  open(name: string, attributes: string): void
  /** A piece of text; what stands between two tags may come in several. */
  text(text: string): void
  close(name: string): void
}

export interface XmlScanner {
  push(text: string): void
  /** The document is complete. Throws a Broken when it is not. */
  finish(): void
}

/**
 * Reads XML as it comes and holds no more of it than one tag or text of `maxToken` characters. It knows elements, attributes,
 * text, CDATA, comments and the five entities of XML itself. A document type is refused: with it entities would come,
 * which may be files, addresses or texts that grow without end.
 */
export function createXmlScanner(handler: XmlHandler, limits: { maxToken: number; maxDepth: number }): XmlScanner {
  const { maxToken, maxDepth } = limits
  const path: string[] = []
  let rest = ''

  /** The end of the markup that begins at `at`: the index after it, or -1. */
  function markup(s: string, at: number): number {
    if (s.startsWith('<!--', at)) return past(s, '-->', at + 4)
    if (s.startsWith('<![CDATA[', at)) {
      const end = past(s, ']]>', at + 9)
      if (end > 0) text(s.slice(at + 9, end - 3), false)
      return end
    }
    if (s.startsWith('<?', at)) return past(s, '?>', at + 2)
    if (s.charCodeAt(at + 1) === 33) {
      // The beginning of a comment or CDATA may be all that is there.
      if (s.length - at < 9 && ('<!--'.startsWith(s.slice(at)) || '<![CDATA['.startsWith(s.slice(at)))) return -1
      throw new Broken('the XML has a document type, which may name other files; it is not read')
    }
    return tag(s, at)
  }

  function tag(s: string, at: number): number {
    const end = tagEnd(s, at + 1)
    if (end < 0) return -1
    if (s.charCodeAt(at + 1) === 47) close(localName(s, at + 2, end))
    else {
      const empty = s.charCodeAt(end - 1) === 47
      const last = empty ? end - 1 : end
      const nameEnd = endOfName(s, at + 1, last)
      const name = localName(s, at + 1, nameEnd)
      if (name === '') throw new Broken('the XML has a tag without a name')
      if (path.length >= maxDepth) throw new Broken(`the XML is nested deeper than ${maxDepth}`)
      path.push(name)
      handler.open(name, s.slice(nameEnd, last))
      if (empty) close(name)
    }
    return end + 1
  }

  function close(name: string): void {
    const open = path.pop()
    if (open !== name) throw new Broken(`the XML closes ${name || 'nothing'} where ${open ?? 'nothing'} is open`)
    handler.close(name)
  }

  function text(piece: string, escaped: boolean): void {
    if (path.length === 0) {
      if (piece.trim() !== '' && piece !== '\ufeff') throw new Broken('the XML has text outside of its root')
      return
    }
    if (piece !== '') handler.text(escaped ? decodeEntities(piece) : piece)
  }

  return {
    push(chunk) {
      const s = rest + chunk
      let at = 0
      for (;;) {
        const open = s.indexOf('<', at)
        if (open < 0) break
        if (open > at) text(s.slice(at, open), true)
        at = open
        const end = markup(s, at)
        if (end < 0) break
        at = end
      }
      rest = s.slice(at)
      if (rest.length > maxToken) throw new Broken(`the XML has a tag or text of more than ${maxToken} characters`)
    },
    finish() {
      text(rest, true)
      if (rest.includes('<') || path.length > 0) throw new Broken('the XML ends too early')
    },
  }
}

function past(s: string, mark: string, from: number): number {
  const at = s.indexOf(mark, from)
  return at < 0 ? -1 : at + mark.length
}

/** The index of the `>` that ends a tag, which may also stand in a quoted attribute. */
function tagEnd(s: string, from: number): number {
  let quote = 0
  for (let i = from; i < s.length; i++) {
    const c = s.charCodeAt(i)
    if (quote !== 0) {
      if (c === quote) quote = 0
    } else if (c === 62) return i
    else if (c === 34 || c === 39) quote = c
  }
  return -1
}

function endOfName(s: string, from: number, to: number): number {
  for (let i = from; i < to; i++) if (s.charCodeAt(i) <= 32) return i
  return to
}

function localName(s: string, from: number, to: number): string {
  while (to > from && s.charCodeAt(to - 1) <= 32) to--
  for (let i = from; i < to; i++) if (s.charCodeAt(i) === 58) from = i + 1
  return s.slice(from, to)
}

/** An attribute's value by its name without a prefix; undefined when it is not there. */
export function attribute(attributes: string, name: string): string | undefined {
  const { length } = attributes
  for (let at = 0; at < length; ) {
    const equals = attributes.indexOf('=', at)
    if (equals < 0) return undefined
    let open = equals + 1
    while (attributes.charCodeAt(open) <= 32) open++
    const quote = attributes[open]
    const end = quote === '"' || quote === "'" ? attributes.indexOf(quote, open + 1) : -1
    if (end < 0) throw new Broken('the XML has an attribute without quotes')
    if (isNamed(attributes, at, equals, name)) return decodeEntities(attributes.slice(open + 1, end))
    at = end + 1
  }
  return undefined
}

/** Whether the attribute's name in s[from, to), without white space and prefix, is that one. */
function isNamed(s: string, from: number, to: number, name: string): boolean {
  let end = to
  while (end > from && s.charCodeAt(end - 1) <= 32) end--
  const start = end - name.length
  if (start < from || !s.startsWith(name, start)) return false
  const before = start === from ? 32 : s.charCodeAt(start - 1)
  return before <= 32 || before === 58
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(\w+));|&/g, (all, hex, decimal, name) => {
    if (name !== undefined && Object.hasOwn(NAMED, name)) return NAMED[name]!
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal)
    if (code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return String.fromCodePoint(code)
    throw new Broken(`the XML has the entity ${all}, which nothing declares`)
  })
}
