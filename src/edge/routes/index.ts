import type { Route } from '../router.ts'
import { apiKeys } from './api-keys.ts'
import { auth } from './auth.ts'
import { datasets } from './datasets.ts'
import { healthRoutes } from './health.ts'
import { push } from './push.ts'

/** Every route of the API: a noun a file, a line here. */
export const routes: readonly Route[] = [...auth, ...apiKeys, ...push, ...datasets, ...healthRoutes]
