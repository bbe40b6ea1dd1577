import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/*
 * A REST API with so many records, in pages by offset and limit; a program of its own, so that its work is not counted as
 * the service's. Pages are made before it says where it listens.
 */

const [count = 0, pageSize = 0] = process.argv.slice(2).map(Number)

function record(n: number): string {
  const day = new Date(1_700_000_000_000 + n * 60_000).toISOString()
  return `{"id":${n},"name":"Customer ${n}","email":"customer-${n}@example.com","amount":${n % 1000}.25,"active":${n % 2 === 0},"city":"City ${n % 97}","created_at":"${day}","note":"${'x'.repeat(n % 17)}"}`
}

const pages: Buffer[] = []
for (let from = 0; from < count; from += pageSize) {
  const rows = Array.from({ length: Math.min(pageSize, count - from) }, (_, n) => record(from + n))
  pages.push(Buffer.from(`{"total":${count},"data":[${rows.join(',')}]}`))
}
const none = Buffer.from(`{"total":${count},"data":[]}`)

const server = createServer((request, response) => {
  const url = new URL(request.url!, 'http://localhost')
  const offset = Number(url.searchParams.get('offset') ?? 0)
  const body = pages[offset / pageSize] ?? none
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
