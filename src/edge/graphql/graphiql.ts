import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { BASE, type Reply, type Request } from '../router.ts'

const OPTIONS = {
  title: 'SuperInsight data sync',
  endpoint: `${BASE}/graphql`,
  // A token that is typed in is gone with the page.
  shouldPersistHeaders: false,
  defaultQuery: `# Give your token below, under Headers: {"Authorization": "Bearer …"}
{
  datasets(first: 10) {
    edges { node { name recordsCount lastUpdated } }
  }
}
`,
  defaultHeaders: '{"Authorization": "Bearer "}',
}

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'public, max-age=86400',
  Vary: 'Accept, Accept-Encoding',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

let page: Promise<{ html: string; zipped: Buffer }> | undefined

/** All of it is in one document, nothing comes from elsewhere: 9 MB that are read when somebody asks for them. */
async function load() {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql')
  const html = String(await renderGraphiQL(OPTIONS))
  return { html, zipped: await promisify(gzip)(html) }
}

/** Whether a browser asks, rather than a program. */
export function wantsPage({ exchange }: Pick<Request, 'exchange'>): boolean {
  return exchange.method !== 'POST' && (exchange.header('accept') ?? '').includes('text/html')
}

/** GraphiQL, for anyone: what it asks needs a token as everything does. */
export async function graphiqlPage({ exchange }: Request): Promise<Reply | undefined> {
  page ??= load()
  const { html, zipped } = await page
  if (/\bgzip\b/.test(exchange.header('accept-encoding') ?? ''))
    exchange.send(200, zipped, { ...HEADERS, 'Content-Encoding': 'gzip' })
  else exchange.send(200, html, HEADERS)
  return undefined
}
