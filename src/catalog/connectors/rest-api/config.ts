import { z } from 'zod'
import { auths } from './auth/index.ts'
import { type PaginationConfig, paginations } from './paginations/index.ts'
import { isSensitive, MAX_BODY_DEPTH } from './secrets.ts'
import { address, headerName, headerText, paramName, pointer } from './texts.ts'

/** Most pages of one endpoint in one run, unless it says less, and most that it may say. */
export const MAX_PAGES = 100_000
const MOST_PAGES = 1_000_000
const MAX_ENDPOINTS = 50
const MAX_NAMES = 200
const MAX_TEXT = 10_000
const MAX_BODY = 100_000

const scalar = z.union([z.string().max(MAX_TEXT), z.number(), z.boolean()], 'expected text, a number or a boolean')
const few = (what: object) => Object.keys(what).length <= MAX_NAMES

const headers = z.record(headerName, headerText).refine(few, `expected at most ${MAX_NAMES} headers`).default({})

const params = z
  .record(
    paramName,
    z.union([scalar, z.array(scalar).max(MAX_NAMES)], 'expected text, a number, a boolean or a list of them'),
  )
  .refine(few, `expected at most ${MAX_NAMES} parameters`)
  .superRefine((given, context) => {
    for (const [name, value] of Object.entries(given))
      if (isSensitive(name) && typeof value !== 'string')
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'expected text, because its name is that of a secret',
        })
  })
  .default({})

const path = z
  .string()
  .max(2000)
  .superRefine((text, context) => {
    const wrong = wrongPath(text)
    if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong })
  })
  .transform(text => (text === '' || text.startsWith('/') || text.startsWith('?') ? text : `/${text}`))

function wrongPath(text: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return 'expected a path below base_url'
  if (/[\s#\\\p{Cc}]/u.test(text)) return 'expected no white space, no # and no backslash'
  const names = [...new URLSearchParams(text.split('?').slice(1).join('?')).keys()]
  const secret = names.find(isSensitive)
  return secret === undefined ? undefined : `put ${secret} into params, where it is kept as a secret`
}

const body = z
  .json()
  .refine(given => JSON.stringify(given).length <= MAX_BODY, `expected at most ${MAX_BODY} characters`)
  .refine(given => depthOf(given) <= MAX_BODY_DEPTH, `expected at most ${MAX_BODY_DEPTH} levels`)

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

const endpoint = z
  .strictObject({
    path: path.default(''),
    method: z.enum(['GET', 'POST']).default('GET'),
    params,
    headers,
    /** Sent as JSON, a text as it is. */
    body: body.optional(),
    /** Where the rows are in an answer. */
    data_path: pointer.default(''),
    pagination: oneOf<PaginationConfig>(paginations).default({ type: 'none' }),
    /** Where the parameters of the pagination and of the cursor go. */
    send_in: z.enum(['query', 'body']).default('query'),
    cursor_field: z.string().min(1).max(500).optional(),
    cursor_param: paramName.optional(),
    lag: z.number().min(0).max(1e15).default(0),
    max_pages: z.int().min(1).max(MOST_PAGES).default(MAX_PAGES),
  })
  .superRefine((given, context) => {
    const wrong = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message })
    if (given.method === 'GET' && given.body !== undefined) wrong('body', 'a GET has no body')
    if (given.send_in === 'body' && given.method === 'GET') wrong('send_in', 'a GET has no body')
    if (
      given.send_in === 'body' &&
      (typeof given.body !== 'object' || given.body === null || Array.isArray(given.body))
    )
      if (given.body !== undefined) wrong('body', 'expected an object, as send_in adds members to it')
    for (const field of ['cursor_param', 'lag'] as const)
      if (given[field] && given.cursor_field === undefined) wrong(field, 'needs cursor_field')
  })

/** What a job says under `connector.config`. */
export const config = z.strictObject({
  base_url: address.transform(text => text.replace(/\/+$/, '')),
  auth: oneOf<{ type: string }>(auths).default({ type: 'none' }),
  headers,
  params,
  /** Seconds that an answer may take, where that is less than the service allows. */
  timeout: z.number().min(0.1).max(3600).optional(),
  /** Most requests in one run, those for tokens, redirects and second tries included. */
  max_calls: z.int().min(1).optional(),
  endpoints: z.array(endpoint).min(1).max(MAX_ENDPOINTS),
})

export type RestConfig = z.output<typeof config>
export type EndpointConfig = RestConfig['endpoints'][number]

/** One of a catalog's configurations, told by its type. */
function oneOf<Config extends { type: string }>(
  catalog: readonly { type: string; config: z.ZodObject }[],
): z.ZodType<Config> {
  const known = catalog.map(({ type }) => type).join(', ')
  const options = catalog.map(entry => entry.config) as unknown as [z.core.$ZodTypeDiscriminable]
  return z.discriminatedUnion('type', options, {
    error: issue => (issue.code === 'invalid_union' ? `expected one of ${known}` : undefined),
  }) as unknown as z.ZodType<Config>
}
