import type { Route } from '../router.ts'
import { apiKeys } from './api-keys.ts'
import { asyncapi } from './asyncapi.ts'
import { augmentation } from './augmentation.ts'
import { auth } from './auth.ts'
import { clients } from './clients.ts'
import { conflicts } from './conflicts.ts'
import { datasets } from './datasets.ts'
import { deliveries } from './deliveries.ts'
import { dilution } from './dilution.ts'
import { history } from './events.ts'
import { files } from './files.ts'
import { graphql } from './graphql.ts'
import { healthRoutes } from './health.ts'
import { jobSettings } from './job-settings.ts'
import { jobs } from './jobs.ts'
import { lineage } from './lineage.ts'
import { projections } from './projections.ts'
import { push } from './push.ts'
import { rejected } from './rejected.ts'
import { socket } from './socket.ts'
import { stream } from './stream.ts'
import { topics } from './topics.ts'
import { webhooks } from './webhooks.ts'

/** Every route of the API: a noun a file, a line here. */
export const routes: readonly Route[] = [
  ...auth,
  ...apiKeys,
  ...clients,
  ...push,
  ...webhooks,
  ...deliveries,
  ...files,
  ...rejected,
  ...jobSettings,
  ...jobs,
  ...dilution,
  ...augmentation,
  ...lineage,
  ...datasets,
  ...history,
  ...topics,
  ...conflicts,
  ...projections,
  ...graphql,
  ...socket,
  ...asyncapi,
  ...stream,
  ...healthRoutes,
]
