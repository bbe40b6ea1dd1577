import { asyncApi } from '../asyncapi/document.ts'
import type { Route } from '../router.ts'

const document: Route = {
  method: 'GET',
  path: '/asyncapi.json',
  auth: 'none',
  limit: 'api',
  handle({ exchange, services }) {
    const { host, port } = services.config
    // A proxy that ends TLS says so.
    const secure = exchange.header('x-forwarded-proto') === 'https'
    return { status: 200, body: asyncApi(exchange.header('host') || `${host}:${port}`, secure, services.topics) }
  },
}

export const asyncapi: readonly Route[] = [document]
