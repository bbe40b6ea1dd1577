// Generated from schemas/ by `npm run generate`. Do not edit.

/** An API key was made. The key itself is in no event, only its SHA-256. */
export interface ApiKeyCreated {
  /** The command this follows from. */
  command_id: string
  /** The key's id, key_ and a time-ordered part. */
  key_id: string
  /** What its maker called it. */
  name: string
  /** SHA-256 of the key, hex. */
  key_hash: string
  /** Scopes it has. */
  permissions: readonly (string)[]
  /** When it ends, RFC 3339; null: never. */
  expires_at: null | string
  /** Requests a minute; null: the default. */
  rate_limit: null | number
  /** The client or key that made it. */
  created_by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** An API key was revoked: it opens nothing from here on. */
export interface ApiKeyRevoked {
  /** The command this follows from. */
  command_id: string
  /** The key. */
  key_id: string
  /** Who did it. */
  revoked_by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A client was given its first refresh token; all that follow from it are one family. */
export interface RefreshFamilyOpened {
  /** The command this follows from. */
  command_id: string
  /** The family's id. */
  family: string
  /** Whose it is. */
  client_id: string
  /** The scopes it may give, separated by spaces. */
  scope: string
  /** When it ends if it is not used, milliseconds since 1970 UTC. */
  expires_at: number
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A refresh token was used and is spent; the family's next one was given out. */
export interface RefreshTokenRotated {
  /** The command this follows from. */
  command_id: string
  /** The family. */
  family: string
  /** The number of the token that is good from here on, counted from 0. */
  generation: number
  /** When that one ends, milliseconds since 1970 UTC. */
  expires_at: number
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A family of refresh tokens ended, and every access token given out by it. */
export interface RefreshFamilyRevoked {
  /** The command this follows from. */
  command_id: string
  /** The family. */
  family: string
  /** revoked: somebody asked; reused: a spent token came back, so it was stolen. */
  reason: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** One access token was revoked before its time. */
export interface AccessTokenRevoked {
  /** The command this follows from. */
  command_id: string
  /** Its jti. */
  token_id: string
  /** When it would have ended, after which nobody need remember it. */
  expires_at: number
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A projector worked out that a pushed record changed a row: the old and the new value of every field that differs. */
export interface RecordChanged {
  /** Name of the data set. */
  dataset: string
  /** The record's id. */
  id: string
  /** create: the row is new; update: its data changed; delete: it is gone. */
  operation: 'create' | 'update' | 'delete'
  /** The row's version after the change: 1 for the first, one more for each change. */
  version: number
  /** JSON text: for each field that differs {"old": value, "new": value}, numbers exactly as pushed, null where there is none. */
  changes: string
  /** The stream of the event this change follows from. With source_offset it names the change: a reader drops what is at or below the last one it saw. */
  source_stream: string
  /** That event's offset in source_stream. */
  source_offset: number
  /** The system the record came from. */
  source: string
  /** When the event was taken in, milliseconds since 1970 UTC. */
  changed_at: number
}

/** Somebody asks for something to be decided. The key is the aggregate, so that one decider sees all of its commands in order. */
export interface CommandIssued {
  /** The command's own id, which its outcome and its events name. */
  command_id: string
  /** What it is about: a noun, a slash and an id, such as api_key/key_… */
  aggregate: string
  /** What is asked, such as CreateApiKey. */
  type: string
  /** The command's data as JSON text. No secret is ever in it. */
  payload: string
  /** The client or API key that asks. */
  actor: string
  /** The request that brought it. */
  request_id: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** The command migrate copies another log into this one: that it has begun, or that all of it is here. The last one counts. */
export interface LogCopied {
  /** The id of the log that is copied, as its positions name it. */
  log: string
  /** False: a copy is under way or was broken off, and nothing may work on this log until it is finished. */
  finished: boolean
  /** Every event of that log up to this offset was here when a copy was last finished; -1: none was. */
  through: number
  /** Where the copied events ended then, as a position of this log. */
  position: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** What a decider made of a command: the edge that waits for it answers with this. */
export interface CommandDecided {
  /** The command. */
  command_id: string
  /** What it was about. */
  aggregate: string
  /** Null when it was accepted, else the error code. */
  code: null | string
  /** Why it was refused. */
  message: null | string
  /** The stream of the command: with command_offset it names this decision, so that a reader drops a repeat. */
  command_stream: string
  /** The command's offset in that stream. */
  command_offset: number
}

/** A record came in, as it came in: nothing is rounded, reordered or dropped. One message a record; the key is the data set and the id. */
export interface RecordPushed {
  /** Name of the data set the record belongs to. */
  dataset: string
  /** The record's id, unique in its data set. */
  id: string
  /** upsert: write the data under this id; delete: remove the record. */
  op: 'upsert' | 'delete'
  /** The record's data as JSON text, byte for byte as pushed; null for a delete that brought none. */
  data: string
  /** metadata.version: the version of the record that this one was made from, when the producer knows it. */
  version: null | number
  /** metadata.updated_at: when the producer's own system changed the record, RFC 3339. */
  updated_at: null | string
  /** False: the producer expects the id to be new, and an existing one must not be overwritten. */
  upsert: boolean
  /** The system the record comes from. */
  source: string
  /** The client or API key that pushed it. */
  actor: string
  /** The request that brought it. */
  request_id: string
  /** Its place in that request: the line of a stream from 1, the index in a batch from 0. */
  line: number
  /** When the edge took it in, milliseconds since 1970 UTC. */
  received_at: number
}

/** A row was refused. It is kept with its reason and its bytes, so that it can be mended and sent again. */
export interface RecordRejected {
  /** The rejection's id, rej_ and a time-ordered part. */
  id: string
  /** The data set it was meant for, when known. */
  dataset: null | string
  /** The record's id, when it could be read. */
  record_id: null | string
  /** Where it was refused: parse, validate, transform or destination. */
  stage: string
  /** Why, as a stable code. */
  code: string
  /** The field that is wrong, as a dotted path. */
  field: null | string
  /** Why, in words. */
  message: string
  /** The row as it came in. */
  original: Uint8Array
  /** Its full length; more than original holds when the row was over the length limit. */
  original_bytes: number
  /** The system it came from. */
  source: string
  /** The client or API key that pushed it. */
  actor: string
  /** The request that brought it. */
  request_id: string
  /** Its place in that request: the line of a stream from 1, the index in a batch from 0. */
  line: number
  /** When the edge took it in, milliseconds since 1970 UTC. */
  received_at: number
}

/** Every event by the name of its record. */
export interface Events {
  ApiKeyCreated: ApiKeyCreated
  ApiKeyRevoked: ApiKeyRevoked
  RefreshFamilyOpened: RefreshFamilyOpened
  RefreshTokenRotated: RefreshTokenRotated
  RefreshFamilyRevoked: RefreshFamilyRevoked
  AccessTokenRevoked: AccessTokenRevoked
  RecordChanged: RecordChanged
  CommandIssued: CommandIssued
  LogCopied: LogCopied
  CommandDecided: CommandDecided
  RecordPushed: RecordPushed
  RecordRejected: RecordRejected
}

/** The schemas as they stand in schemas/, by the name of the record. */
export const schemas: { readonly [Name in keyof Events]: object } = {
  ApiKeyCreated: {"type":"record","name":"ApiKeyCreated","namespace":"superinsight.sync","doc":"An API key was made. The key itself is in no event, only its SHA-256.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"key_id","type":"string","doc":"The key's id, key_ and a time-ordered part."},{"name":"name","type":"string","doc":"What its maker called it."},{"name":"key_hash","type":"string","doc":"SHA-256 of the key, hex."},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"Scopes it has."},{"name":"expires_at","type":["null","string"],"default":null,"doc":"When it ends, RFC 3339; null: never."},{"name":"rate_limit","type":["null","long"],"default":null,"doc":"Requests a minute; null: the default."},{"name":"created_by","type":"string","doc":"The client or key that made it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  ApiKeyRevoked: {"type":"record","name":"ApiKeyRevoked","namespace":"superinsight.sync","doc":"An API key was revoked: it opens nothing from here on.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"key_id","type":"string","doc":"The key."},{"name":"revoked_by","type":"string","doc":"Who did it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RefreshFamilyOpened: {"type":"record","name":"RefreshFamilyOpened","namespace":"superinsight.sync","doc":"A client was given its first refresh token; all that follow from it are one family.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"family","type":"string","doc":"The family's id."},{"name":"client_id","type":"string","doc":"Whose it is."},{"name":"scope","type":"string","doc":"The scopes it may give, separated by spaces."},{"name":"expires_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it ends if it is not used, milliseconds since 1970 UTC."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RefreshTokenRotated: {"type":"record","name":"RefreshTokenRotated","namespace":"superinsight.sync","doc":"A refresh token was used and is spent; the family's next one was given out.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"family","type":"string","doc":"The family."},{"name":"generation","type":"long","doc":"The number of the token that is good from here on, counted from 0."},{"name":"expires_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When that one ends, milliseconds since 1970 UTC."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RefreshFamilyRevoked: {"type":"record","name":"RefreshFamilyRevoked","namespace":"superinsight.sync","doc":"A family of refresh tokens ended, and every access token given out by it.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"family","type":"string","doc":"The family."},{"name":"reason","type":"string","doc":"revoked: somebody asked; reused: a spent token came back, so it was stolen."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  AccessTokenRevoked: {"type":"record","name":"AccessTokenRevoked","namespace":"superinsight.sync","doc":"One access token was revoked before its time.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"token_id","type":"string","doc":"Its jti."},{"name":"expires_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it would have ended, after which nobody need remember it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RecordChanged: {"type":"record","name":"RecordChanged","namespace":"superinsight.sync","doc":"A projector worked out that a pushed record changed a row: the old and the new value of every field that differs.","fields":[{"name":"dataset","type":"string","doc":"Name of the data set."},{"name":"id","type":"string","doc":"The record's id."},{"name":"operation","type":{"type":"enum","name":"ChangeOperation","symbols":["create","update","delete"],"doc":"What happened to the row."},"doc":"create: the row is new; update: its data changed; delete: it is gone."},{"name":"version","type":"long","doc":"The row's version after the change: 1 for the first, one more for each change."},{"name":"changes","type":"string","doc":"JSON text: for each field that differs {\"old\": value, \"new\": value}, numbers exactly as pushed, null where there is none."},{"name":"source_stream","type":"string","doc":"The stream of the event this change follows from. With source_offset it names the change: a reader drops what is at or below the last one it saw."},{"name":"source_offset","type":"long","doc":"That event's offset in source_stream."},{"name":"source","type":"string","doc":"The system the record came from."},{"name":"changed_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the event was taken in, milliseconds since 1970 UTC."}]},
  CommandIssued: {"type":"record","name":"CommandIssued","namespace":"superinsight.sync","doc":"Somebody asks for something to be decided. The key is the aggregate, so that one decider sees all of its commands in order.","fields":[{"name":"command_id","type":"string","doc":"The command's own id, which its outcome and its events name."},{"name":"aggregate","type":"string","doc":"What it is about: a noun, a slash and an id, such as api_key/key_…"},{"name":"type","type":"string","doc":"What is asked, such as CreateApiKey."},{"name":"payload","type":"string","doc":"The command's data as JSON text. No secret is ever in it."},{"name":"actor","type":"string","doc":"The client or API key that asks."},{"name":"request_id","type":"string","doc":"The request that brought it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  LogCopied: {"type":"record","name":"LogCopied","namespace":"superinsight.sync","doc":"The command migrate copies another log into this one: that it has begun, or that all of it is here. The last one counts.","fields":[{"name":"log","type":"string","doc":"The id of the log that is copied, as its positions name it."},{"name":"finished","type":"boolean","doc":"False: a copy is under way or was broken off, and nothing may work on this log until it is finished."},{"name":"through","type":"long","doc":"Every event of that log up to this offset was here when a copy was last finished; -1: none was."},{"name":"position","type":"string","doc":"Where the copied events ended then, as a position of this log."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  CommandDecided: {"type":"record","name":"CommandDecided","namespace":"superinsight.sync","doc":"What a decider made of a command: the edge that waits for it answers with this.","fields":[{"name":"command_id","type":"string","doc":"The command."},{"name":"aggregate","type":"string","doc":"What it was about."},{"name":"code","type":["null","string"],"default":null,"doc":"Null when it was accepted, else the error code."},{"name":"message","type":["null","string"],"default":null,"doc":"Why it was refused."},{"name":"command_stream","type":"string","doc":"The stream of the command: with command_offset it names this decision, so that a reader drops a repeat."},{"name":"command_offset","type":"long","doc":"The command's offset in that stream."}]},
  RecordPushed: {"type":"record","name":"RecordPushed","namespace":"superinsight.sync","doc":"A record came in, as it came in: nothing is rounded, reordered or dropped. One message a record; the key is the data set and the id.","fields":[{"name":"dataset","type":"string","doc":"Name of the data set the record belongs to."},{"name":"id","type":"string","doc":"The record's id, unique in its data set."},{"name":"op","type":{"type":"enum","name":"Operation","symbols":["upsert","delete"],"doc":"What the producer asks for."},"doc":"upsert: write the data under this id; delete: remove the record."},{"name":"data","type":"string","doc":"The record's data as JSON text, byte for byte as pushed; null for a delete that brought none."},{"name":"version","type":["null","long"],"default":null,"doc":"metadata.version: the version of the record that this one was made from, when the producer knows it."},{"name":"updated_at","type":["null","string"],"default":null,"doc":"metadata.updated_at: when the producer's own system changed the record, RFC 3339."},{"name":"upsert","type":"boolean","default":true,"doc":"False: the producer expects the id to be new, and an existing one must not be overwritten."},{"name":"source","type":"string","doc":"The system the record comes from."},{"name":"actor","type":"string","doc":"The client or API key that pushed it."},{"name":"request_id","type":"string","doc":"The request that brought it."},{"name":"line","type":"long","doc":"Its place in that request: the line of a stream from 1, the index in a batch from 0."},{"name":"received_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the edge took it in, milliseconds since 1970 UTC."}]},
  RecordRejected: {"type":"record","name":"RecordRejected","namespace":"superinsight.sync","doc":"A row was refused. It is kept with its reason and its bytes, so that it can be mended and sent again.","fields":[{"name":"id","type":"string","doc":"The rejection's id, rej_ and a time-ordered part."},{"name":"dataset","type":["null","string"],"default":null,"doc":"The data set it was meant for, when known."},{"name":"record_id","type":["null","string"],"default":null,"doc":"The record's id, when it could be read."},{"name":"stage","type":"string","doc":"Where it was refused: parse, validate, transform or destination."},{"name":"code","type":"string","doc":"Why, as a stable code."},{"name":"field","type":["null","string"],"default":null,"doc":"The field that is wrong, as a dotted path."},{"name":"message","type":"string","doc":"Why, in words."},{"name":"original","type":"bytes","doc":"The row as it came in."},{"name":"original_bytes","type":"long","doc":"Its full length; more than original holds when the row was over the length limit."},{"name":"source","type":"string","doc":"The system it came from."},{"name":"actor","type":"string","doc":"The client or API key that pushed it."},{"name":"request_id","type":"string","doc":"The request that brought it."},{"name":"line","type":"long","doc":"Its place in that request: the line of a stream from 1, the index in a batch from 0."},{"name":"received_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the edge took it in, milliseconds since 1970 UTC."}]},
}
