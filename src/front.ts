import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { isEmbedded, openFiles, openKeys, openSecrets, openStore, readTopics } from './adapters.ts'
import { createGuard } from './catalog/reach/guard.ts'
import { createSchemaCache } from './catalog/schemas/compile.ts'
import { startAccess } from './edge/auth/access.ts'
import { deriveKeys } from './edge/auth/keys.ts'
import { loadSecrets } from './edge/auth/secrets.ts'
import { createTokens } from './edge/auth/tokens.ts'
import { followCheckpoints } from './edge/checkpoints.ts'
import type { Work } from './edge/health.ts'
import { createHistoryReaders } from './edge/history/readers.ts'
import type { Keys } from './edge/idempotency/keys.ts'
import { createLimits } from './edge/limits.ts'
import { namingEarliest } from './edge/past.ts'
import type { Progress } from './edge/progress.ts'
import { createReceipts } from './edge/receipts.ts'
import type { SharedRedis } from './edge/redis.ts'
import { type Edge, startEdge } from './edge/server.ts'
import type { Events } from './events/index.ts'
import { createGrow } from './intake/growth.ts'
import { createRules, type Rules } from './intake/rules.ts'
import { createSlots } from './kernel/slots.ts'
import { augmentLimits, formatLimits, rowLimits } from './limits.ts'
import { createCodec } from './log/codec.ts'
import { startCommands } from './log/commands.ts'
import { type FollowedView, followView } from './log/view.ts'
import { healthOf, type Process } from './process.ts'
import { projectedTopics, projections } from './projections/index.ts'
import { evolveRebuilds, type RebuildsView } from './projections/rebuilds.ts'
import { evolveSettings, type SettingsView } from './projections/settings.ts'
import { evolveWebhooks, type WebhookView } from './projections/webhooks.ts'
import type { SecretStore } from './store/secrets.ts'
import type { Store } from './store/store.ts'
import { keepThrough } from './threads/keys.ts'
import { type ReadStore, readsOf, readThrough } from './threads/store.ts'

/*
 * What an edge is made of, top to bottom.
 */

/** Starts an edge: what it folds in memory, what it reads and writes through, and its server last. */
export async function startFront(
  parts: Process,
  works: readonly Work[],
  toKeeper: MessagePort,
): Promise<{ edge: Edge; credentialsFile: string | undefined }> {
  const { config, logger, metrics, log, onStop } = parts
  const secrets = loadSecrets(config)
  const keys = deriveKeys(secrets.encryptionKey)
  const { store, progress } = await openReads(parts, works)
  const access = startAccess(log, logger, config.tokenSeconds)
  onStop(() => access.stop())
  const commands = await startCommands(log, logger)
  onStop(() => commands.stop())
  const webhooks = follow(parts, 'sync.webhooks', new Map() as WebhookView, evolveWebhooks)
  const settings = follow(parts, 'sync.datasets', new Map() as SettingsView, evolveSettings)
  const rebuilds = follow(parts, 'sync.projections', new Map() as RebuildsView, evolveRebuilds)
  await Promise.all([access, webhooks, settings, rebuilds].map(view => view.caughtUp()))
  const [kept, files] = await Promise.all([openSecrets(config, keys.sealing), openFiles(config)])
  onStop(() => kept.stop())
  onStop(() => files.stop())
  const rules = await startRules(parts, settings, kept)
  const redis = await openRedis(parts)
  const reads: Work = { topics: projectedTopics, progress, ours: false }
  const edge = await startEdge({
    config,
    logger,
    metrics,
    log,
    topics: readTopics(),
    codec: createCodec(log),
    store: namingEarliest(store, log),
    progress,
    commands,
    access,
    webhooks,
    settings,
    rebuilds,
    secrets: kept,
    guard: createGuard(config.allowPrivate),
    files,
    rules,
    grow: createGrow(settings, commands),
    augmentLimits: augmentLimits(config),
    rowLimits: rowLimits(config),
    formatLimits: formatLimits(config),
    schemas: createSchemaCache(rowLimits(config)),
    history: createHistoryReaders(log, { readers: config.historyReaders, followers: config.historyFollowers }),
    readers: createSlots(config.fileReaders),
    tokens: createTokens(keys, config.tokenSeconds),
    keys: await startKeys(parts, toKeeper, redis),
    limits: createLimits(redis),
    redis,
    health: healthOf(parts, works.some(work => work.progress === progress) ? works : [...works, reads]),
    completePosition: await createReceipts(log),
    admin: secrets.admin,
  })
  onStop(() => edge.stop())
  return { edge, credentialsFile: secrets.file }
}

/** Keeps a view of a topic in memory, from its first event on. */
function follow<View>(
  { log, logger, onStop }: Process,
  topic: string,
  view: View,
  evolve: (view: View, type: keyof Events, event: Events[keyof Events]) => void,
): FollowedView & { readonly view: View } {
  const followed = followView(log, topic, logger, ({ type, data }) => evolve(view, type, data))
  onStop(() => followed.stop())
  return { ...followed, view }
}

async function startRules(
  { config, logger }: Process,
  settings: FollowedView & { readonly view: SettingsView },
  secrets: SecretStore,
): Promise<Rules> {
  const rules = createRules(settings.view, rowLimits(config), secrets)
  await rules.prepare()
  settings.onChange(() => void rules.prepare().catch(error => logger.error({ err: error }, 'secrets cannot be read')))
  return rules
}

async function openRedis({ config, logger, metrics, onStop }: Process): Promise<SharedRedis | undefined> {
  if (!config.redisUrl) return undefined
  const onChange = (up: boolean) => metrics.redisUp.set(up ? 1 : 0)
  const { openSharedRedis } = await import('./edge/redis.ts')
  const redis = openSharedRedis({ url: config.redisUrl, timeoutMs: config.redisTimeoutMs, logger, onChange })
  onStop(async () => redis.stop())
  // Else the first pushes under a key would be known to this edge alone.
  await redis.known
  return redis
}

async function startKeys(
  { config, metrics, onStop }: Process,
  toKeeper: MessagePort,
  redis: SharedRedis | undefined,
): Promise<Keys> {
  const onDropped = (count: number) => metrics.keysDropped.inc(count)
  const keys = await openKeys(config, redis, { keep: keepThrough(toKeeper), onDropped })
  onStop(() => keys.stop())
  return keys
}

/** Where queries read, and how far that is: a database that projectors anywhere write, or this process's own file. */
async function openReads(
  { config, logger, log, thread, onStop }: Process,
  works: readonly Work[],
): Promise<{ store: ReadStore; progress: Progress }> {
  // Nothing of these is in the read model until it says so.
  const begin = (progress: Progress) => {
    const streams = projectedTopics.flatMap(topic => log.streams(topic))
    for (const { name } of streams) if (!progress.reached.has(name)) progress.advance(name, -1)
    return progress
  }
  const own = works.find(({ topics }) => topics === projectedTopics)?.progress
  if (config.databaseUrl) {
    const store: Store = await openStore(config, { readOnly: true, cacheMb: 0 })
    onStop(() => store.stop())
    // Of a log that only this process has its own projector tells more: checkpoints do not move over other topics' events.
    if (isEmbedded(config)) return { store: readsOf(store), progress: begin(own!) }
    const checkpoints = followCheckpoints(
      store,
      projections.map(({ name }) => name),
      logger,
    )
    onStop(() => checkpoints.stop())
    return { store: readsOf(store), progress: begin(checkpoints.progress) }
  }
  const toReader = new MessageChannel()
  await thread('reader', { ports: [toReader.port1] })
  return { store: readThrough(toReader.port2), progress: begin(own!) }
}
