import { apiKey } from './api-key.ts'
import type { Auth } from './auth.ts'
import { basic } from './basic.ts'
import { bearer } from './bearer.ts'
import { none } from './none.ts'
import { oauth2ClientCredentials } from './oauth2-client-credentials.ts'
import { oauth2Refresh } from './oauth2-refresh.ts'

/** Every kind of auth there is: a kind a file, a line here. */
export const auths: readonly Auth[] = [none, bearer, basic, apiKey, oauth2ClientCredentials, oauth2Refresh]
