import type { Reply } from '../router.ts'

/** A reply whose body is text. */
type Sent = Reply & { readonly body: string; readonly headers: Record<string, string> }

/**
 * A reply as one text: its status, a line feed, its headers as JSON, a line feed, its body. Also gives the reply back with
 * its body as just that text: what is answered now and later is the same, byte for byte.
 */
export function encodeReply({ status, body = '', headers = {} }: Reply): { text: Sent; answer: string } {
  const text: Sent =
    typeof body === 'string'
      ? { status, body, headers }
      : { status, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } }
  return { text, answer: `${status}\n${JSON.stringify(text.headers)}\n${text.body}` }
}

export function decodeReply(answer: string): Sent {
  const head = answer.indexOf('\n')
  const body = answer.indexOf('\n', head + 1) + 1
  return {
    status: Number(answer.slice(0, head)),
    headers: JSON.parse(answer.slice(head + 1, body)),
    body: answer.slice(body),
  }
}
