import { DomainError } from '../../kernel/errors.ts'
import type { Route } from '../router.ts'

/** The place of the WebSocket, for whoever comes there without asking for one. */
const plain: Route = {
  method: 'GET',
  path: '/ws',
  auth: 'none',
  limit: 'api',
  handle() {
    throw new DomainError('VALIDATION_ERROR', 'this is a WebSocket: connect with Upgrade: websocket')
  },
}

export const socket: readonly Route[] = [plain]
