import { isAllowList } from './catalog/reach/guard.ts'
import { graphqlSettings } from './graphql-settings.ts'
import { isHttpUrl, isPostgresUrl, isRedisUrl } from './kernel/address.ts'
import { DomainError } from './kernel/errors.ts'
import { address, brokers, choice, hexKey, like, optional, type Setting, text, whole } from './settings.ts'

export const ROLES = ['edge', 'decider', 'projector', 'runner'] as const
export type Role = (typeof ROLES)[number]

function roles(env: string, about: string): Setting<readonly Role[]> {
  return {
    env,
    shown: 'all',
    about: `${about}: all, or a comma list of ${ROLES.join(', ')}`,
    read(given) {
      const names = (given || 'all').split(',').map(name => name.trim())
      const unknown = names.find(name => name !== 'all' && !ROLES.includes(name as Role))
      if (unknown !== undefined) {
        const message = `${env}=${given}: "${unknown}" is not a role, expected all or a comma list of ${ROLES.join(', ')}`
        throw new DomainError('VALIDATION_ERROR', message)
      }
      return names.includes('all') ? ROLES : (names as Role[])
    },
  }
}

/** Everything that can be set, in one table: the environment, `--help`, the README and the refusals all come from it. */
export const settings = {
  port: whole('PORT', 8080, 'where the edge listens; 0 takes a free port', 0, 65535),
  host: text('HOST', '127.0.0.1', 'the address it listens on'),
  dataDir: text('DATA_DIR', './data', 'embedded log, read store, secrets'),
  kafkaBrokers: brokers('KAFKA_BROKERS', 'none', 'comma list; given: the log is Kafka'),
  registryUrl: address(
    'SCHEMA_REGISTRY_URL',
    isHttpUrl,
    'http://user:password@host:port or https://…',
    'none',
    'Confluent-compatible registry; needed with Kafka',
  ),
  databaseUrl: address(
    'DATABASE_URL',
    isPostgresUrl,
    'postgres://user:password@host:port/database',
    'none',
    'given: the read store is PostgreSQL',
  ),
  redisUrl: address(
    'REDIS_URL',
    isRedisUrl,
    'redis://user:password@host:port/number or rediss://…',
    'none',
    'given: rate limits and idempotency keys are shared by all edges',
  ),
  redisTimeoutMs: whole('REDIS_TIMEOUT_MS', 250, 'how long Redis may take before it counts as lost', 10),
  roles: roles('ROLES', 'what this process does; with Kafka and PostgreSQL the parts may be processes of their own'),
  adminClientId: optional('ADMIN_CLIENT_ID', 'made at first start', 'the first OAuth client, with all scopes'),
  adminClientSecret: optional(
    'ADMIN_CLIENT_SECRET',
    'made at first start',
    'its secret, kept in DATA_DIR/credentials.json',
  ),
  encryptionKey: hexKey(
    'ENCRYPTION_KEY',
    'made at first start',
    '64 hex digits; signs tokens, seals secrets; the same for all processes',
  ),
  rateLimitApi: whole('RATE_LIMIT_API', 1000, 'requests a minute for each caller; 0: no limit'),
  rateLimitPush: whole('RATE_LIMIT_PUSH', 100, 'pushes a minute for each caller; 0: no limit'),
  rateLimitWs: whole('RATE_LIMIT_WS', 1000, 'WebSocket messages a minute for each socket; 0: no limit'),
  logLevel: choice(
    'LOG_LEVEL',
    ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    'info',
    'least level that is logged',
  ),
  tokenSeconds: whole('TOKEN_SECONDS', 3600, 'how long an access token is good', 1),
  refreshSeconds: whole('REFRESH_SECONDS', 2_592_000, 'how long an unused refresh token is good', 1),
  bodyBytes: whole('MAX_BODY_BYTES', 16_777_216, 'largest body of a request other than a stream', 1024),
  bodiesBytes: whole(
    'MAX_BODIES_BYTES',
    268_435_456,
    'bytes of such bodies that all requests hold at once before more are answered 503',
    1024,
  ),
  batchRecords: whole('MAX_BATCH_RECORDS', 100_000, 'most records in one batch push', 1),
  lineBytes: whole('MAX_LINE_BYTES', 1_048_576, 'longest line of a stream, largest record of a batch', 1024, 1_048_576),
  jsonDepth: whole('MAX_JSON_DEPTH', 100, 'deepest nesting of a pushed value', 1, 500),
  streamPendingBytes: whole(
    'MAX_STREAM_PENDING_BYTES',
    4_194_304,
    'bytes of one stream on their way to the log before its socket is paused',
    65_536,
  ),
  streamIdleSeconds: whole('STREAM_IDLE_SECONDS', 300, 'how long a stream may be silent', 1),
  transformations: whole('MAX_TRANSFORMATIONS', 50, 'most transformations of a data set or a job', 1, 1000),
  computeMs: whole('COMPUTE_TIMEOUT_MS', 500, 'how long a compute transformation may take for one row', 10, 60_000),
  dedupeKeys: whole('MAX_DEDUPE_KEYS', 100_000, 'most keys that a dedupe transformation remembers', 1),
  schemaLength: whole(
    'MAX_SCHEMA_LENGTH',
    65_536,
    'longest JSON Schema of a data set or a webhook, in characters',
    100,
  ),
  schemaColumns: whole('MAX_SCHEMA_COLUMNS', 1000, 'most columns of a schema that is made from data', 1, 10_000),
  schemasCached: whole('MAX_CACHED_SCHEMAS', 200, 'most compiled JSON Schemas that are kept', 1),
  logPendingBytes: whole(
    'MAX_LOG_PENDING_BYTES',
    134_217_728,
    'bytes of all callers on their way to the log before pushes are answered 503',
    1_048_576,
  ),
  kafkaTimeoutMs: whole('KAFKA_TIMEOUT_MS', 5000, 'how long brokers may take before a push is answered 503', 100),
  projectionEvents: whole('PROJECTION_MAX_EVENTS', 10_000, 'most events in one transaction of a projection', 1),
  projectionRemembered: whole(
    'PROJECTION_REMEMBERED_BYTES',
    268_435_456,
    'bytes of rows that a projector into PostgreSQL keeps rather than reads again',
    0,
  ),
  projectionBytes: whole('PROJECTION_MAX_BYTES', 16_777_216, 'most bytes in one transaction of a projection', 65_536),
  readyLag: whole('READY_MAX_LAG', 500_000, 'events a projection may be behind before /health/ready fails', 1),
  readyStallSeconds: whole(
    'READY_STALL_SECONDS',
    30,
    'how long a stream held by this process may have lag and not move before /health/ready fails',
    1,
  ),
  sockets: whole('MAX_SOCKETS', 20_000, 'most open WebSockets and event streams', 1),
  waitingSockets: whole('MAX_WAITING_SOCKETS', 500, 'most open WebSockets that have yet to send their auth message', 1),
  authTimeoutMs: whole('AUTH_TIMEOUT_MS', 10_000, 'how long a WebSocket without a credential may take to send it', 100),
  tokenExpiringSeconds: whole(
    'TOKEN_EXPIRING_SECONDS',
    60,
    'how long before its token or API key ends a WebSocket is told so',
    1,
  ),
  socketBufferBytes: whole(
    'MAX_SOCKET_BUFFER_BYTES',
    4_194_304,
    'bytes that may wait for a slow WebSocket or event stream before it must resync',
    65_536,
  ),
  // One event makes a message for each of them at most, and edge/socket/turns.ts says how many a socket can keep.
  subscriptions: whole('MAX_SUBSCRIPTIONS', 32, 'most subscriptions of one WebSocket', 1, 32),
  sessionSeconds: whole(
    'GROUP_SESSION_SECONDS',
    6,
    'how long a projector or decider may be silent before others take its streams over',
    6,
    300,
  ),
  webhooks: whole('MAX_WEBHOOKS', 10_000, 'most webhooks', 1),
  openRuns: whole('MAX_OPEN_RUNS', 200, 'most runs of jobs that are open at once in one process', 1, 10_000),
  runs: whole(
    'MAX_RUNS',
    16,
    'most of them at once that do not wait for a source or a destination, besides imports of files',
    1,
    256,
  ),
  runRows: whole('MAX_RUN_ROWS', 5000, 'about how many rows of a job go into one append', 1),
  fileRuns: whole('MAX_FILE_RUNS', 4, 'most imports of files at once in one process', 1, 64),
  datasetRuns: whole('MAX_DATASET_RUNS', 2, 'most dilutions and augmentations at once in one process', 1, 64),
  datasetWaitSeconds: whole(
    'DATASET_WAIT_SECONDS',
    300,
    'how long a dilution or an augmentation is waited for before it is answered 202; 0: not at all',
  ),
  dilutionGroups: whole(
    'MAX_DILUTION_GROUPS',
    200_000,
    'most different values of the matching fields of a dilution',
    1,
    2_000_000,
  ),
  multiplier: whole('MAX_MULTIPLIER', 10, 'highest multiplier of an augmentation', 2, 1000),
  rememberedRows: whole(
    'MAX_REMEMBERED_ROWS',
    1_000_000,
    'rows of a dilution or an augmentation that are remembered so that none is made twice; 16 to 32 bytes each',
    1,
    100_000_000,
  ),
  translateUrl: address(
    'TRANSLATE_URL',
    isHttpUrl,
    'http://host:port or https://…',
    'none',
    'an apertium-apy or LibreTranslate server, which back_translation needs; ALLOW_PRIVATE_ADDRESSES goes for it, too',
  ),
  translateKey: optional('TRANSLATE_API_KEY', 'none', 'the key that a LibreTranslate server wants'),
  translateMs: whole('TRANSLATE_TIMEOUT_MS', 10_000, 'how long it may take to translate one text', 100),
  translateRetries: whole('TRANSLATE_RETRIES', 2, 'how often a text is sent to it again', 0, 20),
  translations: whole('MAX_TRANSLATIONS', 4, 'most texts that one augmentation has it translate at once', 1, 64),
  jobs: whole('MAX_JOBS', 10_000, 'most jobs', 1),
  jobBytes: whole(
    'MAX_JOB_BYTES',
    262_144,
    "largest body that makes a job, or sets its connector's state",
    1024,
    900_000,
  ),
  allowPrivate: like(
    'ALLOW_PRIVATE_ADDRESSES',
    isAllowList,
    'nothing, 1, or CIDRs with commas between',
    'addresses that jobs may connect to besides public ones; 1: loopback and private ones, or a comma list of CIDRs',
  ),
  sqliteFolders: text('SQLITE_FOLDERS', '/', 'folders, with commas between, in which jobs may have SQLite files'),
  answerBytes: whole('MAX_SOURCE_ANSWER_BYTES', 16_777_216, "largest answer of a job's source; a run holds two", 1024),
  answerMs: whole('SOURCE_TIMEOUT_MS', 30_000, "how long a job's source or destination may take to answer", 100),
  retries: whole(
    'MAX_RUN_RETRIES',
    10,
    'how often in a row a run waits for its source or destination before it fails',
    0,
  ),
  versionKeepSeconds: whole(
    'VERSION_KEEP_SECONDS',
    2_592_000,
    'how long it is kept what a row was before it changed, which as_of reads; -1: for ever',
    -1,
  ),
  fileKeepSeconds: whole(
    'FILE_KEEP_SECONDS',
    604_800,
    'how long an uploaded file is kept whose import is not complete',
    60,
  ),
  historyReaders: whole(
    'MAX_HISTORY_READERS',
    16,
    'answers of unknown length that read the history at once; each holds a page of every stream',
    1,
  ),
  historyFollowers: whole(
    'MAX_HISTORY_FOLLOWERS',
    100,
    'event streams of the history that are open at once; each holds a small page of every stream',
    1,
  ),
  ...graphqlSettings,
  fileReaders: whole('MAX_FILE_READERS', 2, 'files that one edge looks through at once after an upload', 1, 16),
  fileBytes: whole('MAX_FILE_BYTES', 10_737_418_240, 'largest file that is uploaded', 1024),
  fileColumns: whole('MAX_FILE_COLUMNS', 16_384, 'most columns of an uploaded file', 1),
  fileHeldBytes: whole(
    'MAX_FILE_HELD_BYTES',
    268_435_456,
    "bytes of a file that reading it holds at once: parquet's pages, excel's shared strings",
    1_048_576,
  ),
  fileInflatedBytes: whole(
    'MAX_FILE_INFLATED_BYTES',
    1_073_741_824,
    'bytes a compressed file may grow to, or more when MAX_FILE_GROWTH times its size is more',
    1024,
  ),
  fileGrowth: whole('MAX_FILE_GROWTH', 200, 'how many times its size a compressed file may grow to', 1),
  idempotencySeconds: whole('IDEMPOTENCY_SECONDS', 86_400, 'how long the answer to an Idempotency-Key is kept', 1),
  idempotencyBytes: whole(
    'MAX_IDEMPOTENCY_BYTES',
    4_294_967_296,
    'bytes of kept answers in DATA_DIR before the oldest are dropped',
    16_777_216,
  ),
  drainSeconds: whole('DRAIN_SECONDS', 20, 'how long a stop waits for requests under way', 1),
} as const satisfies Record<string, Setting<unknown>>

export type Config = { readonly [Name in keyof typeof settings]: ReturnType<(typeof settings)[Name]['read']> }

/** Reads the environment. Throws VALIDATION_ERROR naming the variable, its value and what was expected. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const entries = Object.entries(settings).map(([name, setting]) => [name, setting.read(env[setting.env])])
  const config = Object.fromEntries(entries) as Config
  if (config.kafkaBrokers.length > 0 && !config.registryUrl) {
    throw new DomainError('VALIDATION_ERROR', 'KAFKA_BROKERS is set, so SCHEMA_REGISTRY_URL must be set too')
  }
  if (ROLES.some(role => !config.roles.includes(role))) checkShared(config)
  return config
}

/** A process with some of the roles shares the log, the read store and the keys with others: it may have none of its own. */
function checkShared(config: Config): void {
  const needed = [settings.kafkaBrokers.env, settings.databaseUrl.env, settings.encryptionKey.env]
  const given = [
    config.kafkaBrokers.length > 0,
    config.databaseUrl,
    config.encryptionKey || !config.roles.some(role => role === 'edge' || role === 'runner'),
  ]
  const missing = needed.filter((_, i) => !given[i])
  if (missing.length === 0) return
  const message = `ROLES=${config.roles.join(',')}: the other roles are other processes, so set ${missing.join(', ')} too`
  throw new DomainError('VALIDATION_ERROR', message)
}

/** The settings as rows of name, default and meaning. */
export function settingRows(): [name: string, shown: string, about: string][] {
  return Object.values(settings).map(({ env, shown, about }) => [env, shown, about])
}
