import { z } from 'zod'
import { isHttpUrl } from '../../../kernel/address.ts'

/** Kinds of text that configurations have. No message repeats what was given: it may be a secret. */

/** Headers that belong to the connection, or would say to whom a request goes. */
const NOT_SET =
  /^(host|content-length|content-encoding|transfer-encoding|connection|keep-alive|upgrade|expect|te|trailer|proxy-.*)$/i

export const headerName = z
  .string()
  .max(200)
  .regex(/^[!#$%&'*+.^_`|~0-9a-z-]+$/i, 'expected the name of a header')
  .refine(name => !NOT_SET.test(name), 'this header cannot be set')

/** What a header may say: no control characters, nothing outside of Latin-1. */
export const headerText = z
  .string()
  .max(10_000)
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'expected text without line breaks and control characters, in Latin-1')

export const paramName = z.string().min(1).max(200)

/** An address that something is sent to. */
export const address = z
  .string()
  .max(2000)
  .superRefine((text, context) => {
    const wrong = wrongWith(text)
    if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
  })

function wrongWith(text: string): string | undefined {
  if (!isHttpUrl(text)) return 'expected the address of an HTTP server, http://… or https://…'
  const { username, password, search, hash } = new URL(text)
  if (username !== '' || password !== '') return 'expected no user and password: auth takes them'
  if (search !== '' || hash !== '' || text.includes('?') || text.includes('#'))
    return 'expected no ? and no #: params takes the query'
  return undefined
}

/** A JSON pointer (RFC 6901). */
export const pointer = z
  .string()
  .max(1000)
  .regex(/^(\/([^~]|~[01])*)?$/, 'expected a JSON pointer: empty, or /name/name')
