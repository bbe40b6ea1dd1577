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

/** An OAuth client was made. Its secret is in no event, only its SHA-256. */
export interface ClientCreated {
  /** The command this follows from. */
  command_id: string
  /** The client's id, cli_ and a time-ordered part. */
  client_id: string
  /** What its maker called it. */
  name: string
  /** SHA-256 of its secret, hex. */
  secret_hash: string
  /** The most that its tokens may do. */
  scopes: readonly (string)[]
  /** The client or key that made it. */
  created_by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** An OAuth client was deleted: it gets no more tokens, and those it has open nothing from here on. */
export interface ClientDeleted {
  /** The command this follows from. */
  command_id: string
  /** The client. */
  client_id: string
  /** Who did it. */
  deleted_by: string
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
  /** The job whose run brought it, if one did. */
  job_id: null | string
  /** Whether news of a conflict follows from the same event: it comes right after, in the same append. */
  told_more: boolean
  /** Fields that the row does not have any more; where another one has the new value null, that is its value. Empty when the row is new or gone, and in events from before there was this field. */
  removed: readonly (string)[]
}

/** News of a conflict, among the changes of its record: for subscribers, who find both sides at /conflicts. */
export interface ConflictTold {
  /** The conflict. */
  conflict_id: string
  /** Name of the data set. */
  dataset: string
  /** The record's id. */
  id: string
  /** detected: it was found; resolved: somebody decided it. */
  news: 'detected' | 'resolved'
  /** version, concurrent_field, delete_update or insert_insert; empty when resolved. */
  conflict_type: string
  /** Whether somebody has to decide it. */
  resolution_required: boolean
  /** How it was decided: accept_incoming, keep_current or merge; null while it is open. */
  resolution: null | string
  /** The stream of the event that this follows from. Where the same event changed the row too, that change comes before. */
  source_stream: string
  /** That event's offset in source_stream. */
  source_offset: number
  /** When that event was taken in, milliseconds since 1970 UTC. */
  told_at: number
  /** The job whose run brought the record, if one did. */
  job_id: null | string
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

/** A pushed record conflicted with the one that was there. Both sides are in here, so nothing is lost whichever wins. */
export interface ConflictDetected {
  /** The conflict's id, conf_ and a part made from the place of the record's event. */
  conflict_id: string
  /** Name of the data set. */
  dataset: string
  /** The record's id. */
  record_id: string
  /** version, concurrent_field, delete_update or insert_insert. */
  conflict_type: string
  /** The policy that was asked: its name. */
  policy: string
  /** What the policy decided: accept_incoming, keep_current or merge; null: it asks somebody, the conflict is open. */
  resolution: null | string
  /** The row's data before this record came, as JSON text; null: it was removed. */
  current: null | string
  /** The row's version then. */
  current_version: number
  /** When its own system had changed it, RFC 3339, if that was told. */
  current_updated_at: null | string
  /** The system it came from, where the policy goes by that and it is known. */
  current_source: null | string
  /** The pushed data as JSON text; null: it asks for removal. */
  incoming: null | string
  /** The version that it was made from, if that was told. */
  incoming_version: null | number
  /** When its own system changed it, RFC 3339, if that was told. */
  incoming_updated_at: null | string
  /** The fields that somebody has to choose for; for a conflict of whole records those that differ. */
  fields: readonly (string)[]
  /** The system the pushed record came from. */
  source: string
  /** The request that brought it. */
  request_id: string
  /** The job whose run brought it, if one did. */
  job_id: null | string
  /** The stream of the record's event. */
  source_stream: string
  /** That event's offset in source_stream. */
  source_offset: number
  /** When the record was taken in, milliseconds since 1970 UTC. */
  detected_at: number
}

/** Somebody decided a conflict. The record event that carries it out is in the same append. */
export interface ConflictResolved {
  /** The command this follows from. */
  command_id: string
  /** The conflict. */
  conflict_id: string
  /** accept_incoming, keep_current or merge. */
  resolution: string
  /** The client or API key that decided. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A conflict that was decided is open again. The row stays as it is until it is decided anew. */
export interface ConflictReopened {
  /** The command this follows from. */
  command_id: string
  /** The conflict. */
  conflict_id: string
  /** The client or API key that asked for it. */
  by: string
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

/** The settings of a data set were changed; this is all of them from here on. */
export interface DatasetConfigured {
  /** The command this follows from. */
  command_id: string
  /** Name of the data set. */
  dataset: string
  /** What it is called to people; null: its name. */
  title: null | string
  /** Its category, when given. */
  category: null | string
  /** JSON Schema of its records' data, as JSON text; null: none. */
  schema: null | string
  /** evolve: the schema grows; freeze: the push is refused; discard_row: the row is; discard_value: the value is. */
  schema_contract: 'evolve' | 'freeze' | 'discard_row' | 'discard_value'
  /** What is done to each record before it is kept, as JSON text; null: nothing. */
  transformations: null | string
  /** How conflicting pushes are decided, as JSON text; null: the last arrival wins. */
  conflict_policy: null | string
  /** The job that makes it out of other data sets; null: it was pushed. */
  made_by: null | string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A row that a job has pulled for a destination outside: it is written there next, and no data set has it. */
export interface RecordForwarded {
  /** The job. */
  job_id: string
  /** The run that pulled it. */
  run_id: string
  /** Its number among the rows of the run, from 1. */
  number: number
  /** The id that the source gave it, else one made of the run and the number. */
  id: string
  /** What is to be done with it. */
  op: 'upsert' | 'delete'
  /** The row after the job's transformations, as JSON text, exact. */
  data: string
  /** When it was pulled, milliseconds since 1970 UTC. */
  at: number
}

/** A job was made or changed; this is all of its configuration from here on. */
export interface JobConfigured {
  /** The command this follows from. */
  command_id: string
  /** The job's id, job_ and a time-ordered part. */
  job_id: string
  /** What its maker called it. */
  name: string
  /** Where it takes its data from. */
  connector_type: string
  /** The job's configuration as JSON text: connector, schedule, transformations, destination. References into the secret store stand where secrets were. */
  config: string
  /** When the job was made, milliseconds since 1970 UTC. */
  created_at: number
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A job is gone; a run under way ends. */
export interface JobDeleted {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A run of a job was asked for. A runner takes it up. */
export interface RunQueued {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The run's id, run_ and a time-ordered part. */
  run_id: string
  /** What asked for it: manual, schedule or upload. */
  trigger: string
  /** The time of the schedule that it is for, milliseconds since 1970 UTC. */
  scheduled_at: null | number
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A runner has taken a run up, or goes on with it after another has died. */
export interface RunStarted {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A run rests until it is resumed; it goes on from its checkpoint. */
export interface RunPaused {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A run that rested is to go on. */
export interface RunResumed {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A run waits by itself, because its source asked for it or does not answer. */
export interface RunWaiting {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** When it goes on, milliseconds since 1970 UTC. */
  until: number
  /** Why, in words. */
  reason: string
  /** How often in a row it has come to this since the last page. */
  failures: number
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A run was given up by hand. What it has brought stays. */
export interface RunCancelled {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A run is done: all that its source had is in. */
export interface RunCompleted {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** What it has made, as JSON text, for jobs that answer with something. */
  result: null | string
  /** A position that includes all that the run has brought. */
  position: null | string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A run has ended before its source did. What it has brought stays. */
export interface RunFailed {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** Why, as a stable code. */
  code: string
  /** Why, in words, and where it stopped. */
  message: string
  /** The fields that are wrong, as JSON text: an array of {field, message }. */
  details: string
  /** A position that includes all that the run has brought. */
  position: null | string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A page of a run is in: written in the same append as its records, so that the run goes on after exactly these. */
export interface RunCheckpointed {
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** Pages of this job so far, over all its runs: the checkpoint that the append carries. */
  number: number
  /** Where the connector goes on, as JSON text. */
  state: string
  /** Records that were appended with it. */
  taken: number
  /** A position that all records of this page come after, for who has to read them again. */
  after: null | string
  /** Records this run has handled so far, the refused ones too. */
  processed: number
  /** Of these, how many were refused. */
  rejected: number
  /** How many there are in all, when the source tells. */
  total: null | number
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A time of the schedule came and no run was begun for it. */
export interface RunSkipped {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The time of the schedule, milliseconds since 1970 UTC. Those before it are over too. */
  scheduled_at: number
  /** Why: overlap, when a run was under way; queued, when one is to follow that run; missed, when nobody was there. */
  reason: string
  /** The run that is to follow, when one is queued. */
  run_id: null | string
  /** Who asked. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** The connector's state was set by hand, or by giving the job another connector: the next run begins there. */
export interface JobStateSet {
  /** The command this follows from. */
  command_id: string
  /** The job. */
  job_id: string
  /** The state, as JSON text; null: the beginning. */
  state: string
  /** The last run before: a page of it that is still to come in says no more where the connector is. */
  run_id: null | string
  /** The client or API key that asked for it. */
  by: string
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

/** A read model is to be made anew from the first event, beside the one that is read, and to take its place. */
export interface RebuildRequested {
  /** The command this follows from. */
  command_id: string
  /** The rebuild. */
  rebuild_id: string
  /** Name of the projection. */
  projection: string
  /** asked: somebody wants it; version: the code is of a newer version than the rows. */
  reason: string
  /** The client or API key that asked, or projector. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** The rows that were made anew are the ones that are read from now on. */
export interface RebuildCompleted {
  /** The command this follows from. */
  command_id: string
  /** The rebuild. */
  rebuild_id: string
  /** Name of the projection. */
  projection: string
  /** The version of the projection that made the rows. */
  version: number
  /** The version that had made the rows before. */
  version_before: number
  /** Rows that were made, of all tables. */
  rows: number
  /** Rows that the live tables had otherwise, or only one of both had, but those that are gone. */
  differing: number
  /** Rows that only the live tables had, of a projection some of whose events retention has taken. */
  gone: number
  /** JSON text: for each table its rows, how they differ, and the keys of the first that do. */
  compared: string
  /** Who made them: projector. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A rebuild was given up. The rows that are read are those from before. */
export interface RebuildFailed {
  /** The command this follows from. */
  command_id: string
  /** The rebuild. */
  rebuild_id: string
  /** Name of the projection. */
  projection: string
  /** Why. */
  error: string
  /** Who gave it up: projector. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
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
  /** The job whose run brought it, if one did. */
  job_id: null | string
  /** Null: it conflicts with nothing, for it does not say what it was made from and no policy is set; so does one from before there were conflicts. */
  conflict: null | { policy: null | string; resolves: null | string; resolution: null | string; write: boolean }
  /** Of a record that a dilution or an augmentation made or took over from another data set; null: it was pushed. */
  origin: null | { dataset_id: string; record_id: string; strategy: string; seed: string }
  /** Whether the data kept what the data set's schema said, when it came in, of values beyond their types (ranges, patterns, formats, enumerations); null: it said nothing, or the record was not held against it. */
  keeps_rules: null | boolean
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
  /** The job whose run brought it, if one did. */
  job_id: null | string
  /** The value that is wrong, as text, or the beginning of it. */
  value: null | string
  /** The webhook it was delivered to, if it was. */
  webhook_id: null | string
  /** Whether original is only a record's data, as a file's row or a webhook's delivery is, rather than a record as it is pushed. */
  data_only: boolean
  /** Where in that data the record's id is, as a JSON pointer; null when it does not come from there. */
  id_at: null | string
  /** The row's data as it could be read, as JSON text, when original is something else, such as a line of csv. */
  data: null | string
  /** Whether that data can only have texts, as a csv's can. */
  text_only: boolean
  /** Whether its push wrote over records that are there. */
  upsert: boolean
  /** Whether its push checked rows against the schema of their data set. */
  validate: boolean
  /** Whether its push applied the transformations of their data set. */
  transform: boolean
}

/** A refused row was sent again and taken. The record itself is on sync.records, written in the same append. */
export interface RejectionReplayed {
  /** The command this follows from. */
  command_id: string
  /** The refused row. */
  rejection_id: string
  /** The data set the record went to. */
  dataset: string
  /** The record. */
  record_id: string
  /** Whether its data was changed first. */
  mended: boolean
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** Something worth telling happened in a run. */
export interface RunLogged {
  /** The job. */
  job_id: string
  /** The run. */
  run_id: string
  /** How much it matters. */
  level: 'debug' | 'info' | 'warning' | 'error'
  /** A constant sentence. */
  message: string
  /** What it is about, as a JSON object's text. */
  metadata: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A webhook was made or changed; this is all of it from here on. */
export interface WebhookConfigured {
  /** The command this follows from. */
  command_id: string
  /** The webhook's id, wh_ and a time-ordered part. */
  webhook_id: string
  /** What its maker called it. */
  name: string
  /** The data set its deliveries go to. */
  dataset: string
  /** JSON Schema that a delivery must fit, as JSON text; null: any object. */
  schema: null | string
  /** JSON pointer to the record's id in a delivery; null: the delivery's own id. */
  record_id: null | string
  /** How deliveries are signed; none: they carry a token of ours. */
  scheme: 'none' | 'standard' | 'github' | 'stripe' | 'slack'
  /** References into the secret store, two while a secret is being rotated. No secret is here. */
  secrets: readonly (string)[]
  /** False: deliveries are refused as if there were no such webhook. */
  enabled: boolean
  /** When it was made, milliseconds since 1970 UTC. */
  created_at: number
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** A webhook is gone. */
export interface WebhookDeleted {
  /** The command this follows from. */
  command_id: string
  /** The webhook. */
  webhook_id: string
  /** The client or API key that asked for it. */
  by: string
  /** When, milliseconds since 1970 UTC. */
  at: number
}

/** Every event by the name of its record. */
export interface Events {
  ApiKeyCreated: ApiKeyCreated
  ApiKeyRevoked: ApiKeyRevoked
  RefreshFamilyOpened: RefreshFamilyOpened
  RefreshTokenRotated: RefreshTokenRotated
  RefreshFamilyRevoked: RefreshFamilyRevoked
  AccessTokenRevoked: AccessTokenRevoked
  ClientCreated: ClientCreated
  ClientDeleted: ClientDeleted
  RecordChanged: RecordChanged
  ConflictTold: ConflictTold
  CommandIssued: CommandIssued
  ConflictDetected: ConflictDetected
  ConflictResolved: ConflictResolved
  ConflictReopened: ConflictReopened
  LogCopied: LogCopied
  DatasetConfigured: DatasetConfigured
  RecordForwarded: RecordForwarded
  JobConfigured: JobConfigured
  JobDeleted: JobDeleted
  RunQueued: RunQueued
  RunStarted: RunStarted
  RunPaused: RunPaused
  RunResumed: RunResumed
  RunWaiting: RunWaiting
  RunCancelled: RunCancelled
  RunCompleted: RunCompleted
  RunFailed: RunFailed
  RunCheckpointed: RunCheckpointed
  RunSkipped: RunSkipped
  JobStateSet: JobStateSet
  CommandDecided: CommandDecided
  RebuildRequested: RebuildRequested
  RebuildCompleted: RebuildCompleted
  RebuildFailed: RebuildFailed
  RecordPushed: RecordPushed
  RecordRejected: RecordRejected
  RejectionReplayed: RejectionReplayed
  RunLogged: RunLogged
  WebhookConfigured: WebhookConfigured
  WebhookDeleted: WebhookDeleted
}

/** The schemas as they stand in schemas/, by the name of the record. */
export const schemas: { readonly [Name in keyof Events]: object } = {
  ApiKeyCreated: {"type":"record","name":"ApiKeyCreated","namespace":"superinsight.sync","doc":"An API key was made. The key itself is in no event, only its SHA-256.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"key_id","type":"string","doc":"The key's id, key_ and a time-ordered part."},{"name":"name","type":"string","doc":"What its maker called it."},{"name":"key_hash","type":"string","doc":"SHA-256 of the key, hex."},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"Scopes it has."},{"name":"expires_at","type":["null","string"],"default":null,"doc":"When it ends, RFC 3339; null: never."},{"name":"rate_limit","type":["null","long"],"default":null,"doc":"Requests a minute; null: the default."},{"name":"created_by","type":"string","doc":"The client or key that made it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  ApiKeyRevoked: {"type":"record","name":"ApiKeyRevoked","namespace":"superinsight.sync","doc":"An API key was revoked: it opens nothing from here on.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"key_id","type":"string","doc":"The key."},{"name":"revoked_by","type":"string","doc":"Who did it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RefreshFamilyOpened: {"type":"record","name":"RefreshFamilyOpened","namespace":"superinsight.sync","doc":"A client was given its first refresh token; all that follow from it are one family.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"family","type":"string","doc":"The family's id."},{"name":"client_id","type":"string","doc":"Whose it is."},{"name":"scope","type":"string","doc":"The scopes it may give, separated by spaces."},{"name":"expires_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it ends if it is not used, milliseconds since 1970 UTC."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RefreshTokenRotated: {"type":"record","name":"RefreshTokenRotated","namespace":"superinsight.sync","doc":"A refresh token was used and is spent; the family's next one was given out.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"family","type":"string","doc":"The family."},{"name":"generation","type":"long","doc":"The number of the token that is good from here on, counted from 0."},{"name":"expires_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When that one ends, milliseconds since 1970 UTC."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RefreshFamilyRevoked: {"type":"record","name":"RefreshFamilyRevoked","namespace":"superinsight.sync","doc":"A family of refresh tokens ended, and every access token given out by it.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"family","type":"string","doc":"The family."},{"name":"reason","type":"string","doc":"revoked: somebody asked; reused: a spent token came back, so it was stolen."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  AccessTokenRevoked: {"type":"record","name":"AccessTokenRevoked","namespace":"superinsight.sync","doc":"One access token was revoked before its time.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"token_id","type":"string","doc":"Its jti."},{"name":"expires_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it would have ended, after which nobody need remember it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  ClientCreated: {"type":"record","name":"ClientCreated","namespace":"superinsight.sync","doc":"An OAuth client was made. Its secret is in no event, only its SHA-256.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"client_id","type":"string","doc":"The client's id, cli_ and a time-ordered part."},{"name":"name","type":"string","doc":"What its maker called it."},{"name":"secret_hash","type":"string","doc":"SHA-256 of its secret, hex."},{"name":"scopes","type":{"type":"array","items":"string"},"doc":"The most that its tokens may do."},{"name":"created_by","type":"string","doc":"The client or key that made it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  ClientDeleted: {"type":"record","name":"ClientDeleted","namespace":"superinsight.sync","doc":"An OAuth client was deleted: it gets no more tokens, and those it has open nothing from here on.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"client_id","type":"string","doc":"The client."},{"name":"deleted_by","type":"string","doc":"Who did it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RecordChanged: {"type":"record","name":"RecordChanged","namespace":"superinsight.sync","doc":"A projector worked out that a pushed record changed a row: the old and the new value of every field that differs.","fields":[{"name":"dataset","type":"string","doc":"Name of the data set."},{"name":"id","type":"string","doc":"The record's id."},{"name":"operation","type":{"type":"enum","name":"ChangeOperation","symbols":["create","update","delete"],"doc":"What happened to the row."},"doc":"create: the row is new; update: its data changed; delete: it is gone."},{"name":"version","type":"long","doc":"The row's version after the change: 1 for the first, one more for each change."},{"name":"changes","type":"string","doc":"JSON text: for each field that differs {\"old\": value, \"new\": value}, numbers exactly as pushed, null where there is none."},{"name":"source_stream","type":"string","doc":"The stream of the event this change follows from. With source_offset it names the change: a reader drops what is at or below the last one it saw."},{"name":"source_offset","type":"long","doc":"That event's offset in source_stream."},{"name":"source","type":"string","doc":"The system the record came from."},{"name":"changed_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the event was taken in, milliseconds since 1970 UTC."},{"name":"job_id","type":["null","string"],"default":null,"doc":"The job whose run brought it, if one did."},{"name":"told_more","type":"boolean","default":false,"doc":"Whether news of a conflict follows from the same event: it comes right after, in the same append."},{"name":"removed","type":{"type":"array","items":"string"},"default":[],"doc":"Fields that the row does not have any more; where another one has the new value null, that is its value. Empty when the row is new or gone, and in events from before there was this field."}]},
  ConflictTold: {"type":"record","name":"ConflictTold","namespace":"superinsight.sync","doc":"News of a conflict, among the changes of its record: for subscribers, who find both sides at /conflicts.","fields":[{"name":"conflict_id","type":"string","doc":"The conflict."},{"name":"dataset","type":"string","doc":"Name of the data set."},{"name":"id","type":"string","doc":"The record's id."},{"name":"news","type":{"type":"enum","name":"ConflictNews","symbols":["detected","resolved"],"doc":"What happened to the conflict."},"doc":"detected: it was found; resolved: somebody decided it."},{"name":"conflict_type","type":"string","doc":"version, concurrent_field, delete_update or insert_insert; empty when resolved."},{"name":"resolution_required","type":"boolean","doc":"Whether somebody has to decide it."},{"name":"resolution","type":["null","string"],"default":null,"doc":"How it was decided: accept_incoming, keep_current or merge; null while it is open."},{"name":"source_stream","type":"string","doc":"The stream of the event that this follows from. Where the same event changed the row too, that change comes before."},{"name":"source_offset","type":"long","doc":"That event's offset in source_stream."},{"name":"told_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When that event was taken in, milliseconds since 1970 UTC."},{"name":"job_id","type":["null","string"],"default":null,"doc":"The job whose run brought the record, if one did."}]},
  CommandIssued: {"type":"record","name":"CommandIssued","namespace":"superinsight.sync","doc":"Somebody asks for something to be decided. The key is the aggregate, so that one decider sees all of its commands in order.","fields":[{"name":"command_id","type":"string","doc":"The command's own id, which its outcome and its events name."},{"name":"aggregate","type":"string","doc":"What it is about: a noun, a slash and an id, such as api_key/key_…"},{"name":"type","type":"string","doc":"What is asked, such as CreateApiKey."},{"name":"payload","type":"string","doc":"The command's data as JSON text. No secret is ever in it."},{"name":"actor","type":"string","doc":"The client or API key that asks."},{"name":"request_id","type":"string","doc":"The request that brought it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  ConflictDetected: {"type":"record","name":"ConflictDetected","namespace":"superinsight.sync","doc":"A pushed record conflicted with the one that was there. Both sides are in here, so nothing is lost whichever wins.","fields":[{"name":"conflict_id","type":"string","doc":"The conflict's id, conf_ and a part made from the place of the record's event."},{"name":"dataset","type":"string","doc":"Name of the data set."},{"name":"record_id","type":"string","doc":"The record's id."},{"name":"conflict_type","type":"string","doc":"version, concurrent_field, delete_update or insert_insert."},{"name":"policy","type":"string","doc":"The policy that was asked: its name."},{"name":"resolution","type":["null","string"],"default":null,"doc":"What the policy decided: accept_incoming, keep_current or merge; null: it asks somebody, the conflict is open."},{"name":"current","type":["null","string"],"default":null,"doc":"The row's data before this record came, as JSON text; null: it was removed."},{"name":"current_version","type":"long","doc":"The row's version then."},{"name":"current_updated_at","type":["null","string"],"default":null,"doc":"When its own system had changed it, RFC 3339, if that was told."},{"name":"current_source","type":["null","string"],"default":null,"doc":"The system it came from, where the policy goes by that and it is known."},{"name":"incoming","type":["null","string"],"default":null,"doc":"The pushed data as JSON text; null: it asks for removal."},{"name":"incoming_version","type":["null","long"],"default":null,"doc":"The version that it was made from, if that was told."},{"name":"incoming_updated_at","type":["null","string"],"default":null,"doc":"When its own system changed it, RFC 3339, if that was told."},{"name":"fields","type":{"type":"array","items":"string"},"doc":"The fields that somebody has to choose for; for a conflict of whole records those that differ."},{"name":"source","type":"string","doc":"The system the pushed record came from."},{"name":"request_id","type":"string","doc":"The request that brought it."},{"name":"job_id","type":["null","string"],"default":null,"doc":"The job whose run brought it, if one did."},{"name":"source_stream","type":"string","doc":"The stream of the record's event."},{"name":"source_offset","type":"long","doc":"That event's offset in source_stream."},{"name":"detected_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the record was taken in, milliseconds since 1970 UTC."}]},
  ConflictResolved: {"type":"record","name":"ConflictResolved","namespace":"superinsight.sync","doc":"Somebody decided a conflict. The record event that carries it out is in the same append.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"conflict_id","type":"string","doc":"The conflict."},{"name":"resolution","type":"string","doc":"accept_incoming, keep_current or merge."},{"name":"by","type":"string","doc":"The client or API key that decided."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  ConflictReopened: {"type":"record","name":"ConflictReopened","namespace":"superinsight.sync","doc":"A conflict that was decided is open again. The row stays as it is until it is decided anew.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"conflict_id","type":"string","doc":"The conflict."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  LogCopied: {"type":"record","name":"LogCopied","namespace":"superinsight.sync","doc":"The command migrate copies another log into this one: that it has begun, or that all of it is here. The last one counts.","fields":[{"name":"log","type":"string","doc":"The id of the log that is copied, as its positions name it."},{"name":"finished","type":"boolean","doc":"False: a copy is under way or was broken off, and nothing may work on this log until it is finished."},{"name":"through","type":"long","doc":"Every event of that log up to this offset was here when a copy was last finished; -1: none was."},{"name":"position","type":"string","doc":"Where the copied events ended then, as a position of this log."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  DatasetConfigured: {"type":"record","name":"DatasetConfigured","namespace":"superinsight.sync","doc":"The settings of a data set were changed; this is all of them from here on.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"dataset","type":"string","doc":"Name of the data set."},{"name":"title","type":["null","string"],"default":null,"doc":"What it is called to people; null: its name."},{"name":"category","type":["null","string"],"default":null,"doc":"Its category, when given."},{"name":"schema","type":["null","string"],"default":null,"doc":"JSON Schema of its records' data, as JSON text; null: none."},{"name":"schema_contract","type":{"type":"enum","name":"SchemaContract","symbols":["evolve","freeze","discard_row","discard_value"],"doc":"What happens to data that does not fit the schema."},"doc":"evolve: the schema grows; freeze: the push is refused; discard_row: the row is; discard_value: the value is."},{"name":"transformations","type":["null","string"],"default":null,"doc":"What is done to each record before it is kept, as JSON text; null: nothing."},{"name":"conflict_policy","type":["null","string"],"default":null,"doc":"How conflicting pushes are decided, as JSON text; null: the last arrival wins."},{"name":"made_by","type":["null","string"],"default":null,"doc":"The job that makes it out of other data sets; null: it was pushed."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RecordForwarded: {"type":"record","name":"RecordForwarded","namespace":"superinsight.sync","doc":"A row that a job has pulled for a destination outside: it is written there next, and no data set has it.","fields":[{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run that pulled it."},{"name":"number","type":"long","doc":"Its number among the rows of the run, from 1."},{"name":"id","type":"string","doc":"The id that the source gave it, else one made of the run and the number."},{"name":"op","type":{"type":"enum","name":"ForwardedOp","symbols":["upsert","delete"],"doc":"What is to be done with it."},"doc":"What is to be done with it."},{"name":"data","type":"string","doc":"The row after the job's transformations, as JSON text, exact."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was pulled, milliseconds since 1970 UTC."}]},
  JobConfigured: {"type":"record","name":"JobConfigured","namespace":"superinsight.sync","doc":"A job was made or changed; this is all of its configuration from here on.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job's id, job_ and a time-ordered part."},{"name":"name","type":"string","doc":"What its maker called it."},{"name":"connector_type","type":"string","doc":"Where it takes its data from."},{"name":"config","type":"string","doc":"The job's configuration as JSON text: connector, schedule, transformations, destination. References into the secret store stand where secrets were."},{"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the job was made, milliseconds since 1970 UTC."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  JobDeleted: {"type":"record","name":"JobDeleted","namespace":"superinsight.sync","doc":"A job is gone; a run under way ends.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunQueued: {"type":"record","name":"RunQueued","namespace":"superinsight.sync","doc":"A run of a job was asked for. A runner takes it up.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run's id, run_ and a time-ordered part."},{"name":"trigger","type":"string","doc":"What asked for it: manual, schedule or upload."},{"name":"scheduled_at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null,"doc":"The time of the schedule that it is for, milliseconds since 1970 UTC."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunStarted: {"type":"record","name":"RunStarted","namespace":"superinsight.sync","doc":"A runner has taken a run up, or goes on with it after another has died.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunPaused: {"type":"record","name":"RunPaused","namespace":"superinsight.sync","doc":"A run rests until it is resumed; it goes on from its checkpoint.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunResumed: {"type":"record","name":"RunResumed","namespace":"superinsight.sync","doc":"A run that rested is to go on.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunWaiting: {"type":"record","name":"RunWaiting","namespace":"superinsight.sync","doc":"A run waits by itself, because its source asked for it or does not answer.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"until","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it goes on, milliseconds since 1970 UTC."},{"name":"reason","type":"string","doc":"Why, in words."},{"name":"failures","type":"long","default":0,"doc":"How often in a row it has come to this since the last page."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunCancelled: {"type":"record","name":"RunCancelled","namespace":"superinsight.sync","doc":"A run was given up by hand. What it has brought stays.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunCompleted: {"type":"record","name":"RunCompleted","namespace":"superinsight.sync","doc":"A run is done: all that its source had is in.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"result","type":["null","string"],"default":null,"doc":"What it has made, as JSON text, for jobs that answer with something."},{"name":"position","type":["null","string"],"default":null,"doc":"A position that includes all that the run has brought."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunFailed: {"type":"record","name":"RunFailed","namespace":"superinsight.sync","doc":"A run has ended before its source did. What it has brought stays.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"code","type":"string","doc":"Why, as a stable code."},{"name":"message","type":"string","doc":"Why, in words, and where it stopped."},{"name":"details","type":"string","doc":"The fields that are wrong, as JSON text: an array of {field, message }."},{"name":"position","type":["null","string"],"default":null,"doc":"A position that includes all that the run has brought."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunCheckpointed: {"type":"record","name":"RunCheckpointed","namespace":"superinsight.sync","doc":"A page of a run is in: written in the same append as its records, so that the run goes on after exactly these.","fields":[{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"number","type":"long","doc":"Pages of this job so far, over all its runs: the checkpoint that the append carries."},{"name":"state","type":"string","doc":"Where the connector goes on, as JSON text."},{"name":"taken","type":"long","default":0,"doc":"Records that were appended with it."},{"name":"after","type":["null","string"],"default":null,"doc":"A position that all records of this page come after, for who has to read them again."},{"name":"processed","type":"long","doc":"Records this run has handled so far, the refused ones too."},{"name":"rejected","type":"long","doc":"Of these, how many were refused."},{"name":"total","type":["null","long"],"default":null,"doc":"How many there are in all, when the source tells."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunSkipped: {"type":"record","name":"RunSkipped","namespace":"superinsight.sync","doc":"A time of the schedule came and no run was begun for it.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"scheduled_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"The time of the schedule, milliseconds since 1970 UTC. Those before it are over too."},{"name":"reason","type":"string","doc":"Why: overlap, when a run was under way; queued, when one is to follow that run; missed, when nobody was there."},{"name":"run_id","type":["null","string"],"default":null,"doc":"The run that is to follow, when one is queued."},{"name":"by","type":"string","doc":"Who asked."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  JobStateSet: {"type":"record","name":"JobStateSet","namespace":"superinsight.sync","doc":"The connector's state was set by hand, or by giving the job another connector: the next run begins there.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"job_id","type":"string","doc":"The job."},{"name":"state","type":"string","doc":"The state, as JSON text; null: the beginning."},{"name":"run_id","type":["null","string"],"default":null,"doc":"The last run before: a page of it that is still to come in says no more where the connector is."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  CommandDecided: {"type":"record","name":"CommandDecided","namespace":"superinsight.sync","doc":"What a decider made of a command: the edge that waits for it answers with this.","fields":[{"name":"command_id","type":"string","doc":"The command."},{"name":"aggregate","type":"string","doc":"What it was about."},{"name":"code","type":["null","string"],"default":null,"doc":"Null when it was accepted, else the error code."},{"name":"message","type":["null","string"],"default":null,"doc":"Why it was refused."},{"name":"command_stream","type":"string","doc":"The stream of the command: with command_offset it names this decision, so that a reader drops a repeat."},{"name":"command_offset","type":"long","doc":"The command's offset in that stream."}]},
  RebuildRequested: {"type":"record","name":"RebuildRequested","namespace":"superinsight.sync","doc":"A read model is to be made anew from the first event, beside the one that is read, and to take its place.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"rebuild_id","type":"string","doc":"The rebuild."},{"name":"projection","type":"string","doc":"Name of the projection."},{"name":"reason","type":"string","doc":"asked: somebody wants it; version: the code is of a newer version than the rows."},{"name":"by","type":"string","doc":"The client or API key that asked, or projector."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RebuildCompleted: {"type":"record","name":"RebuildCompleted","namespace":"superinsight.sync","doc":"The rows that were made anew are the ones that are read from now on.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"rebuild_id","type":"string","doc":"The rebuild."},{"name":"projection","type":"string","doc":"Name of the projection."},{"name":"version","type":"long","doc":"The version of the projection that made the rows."},{"name":"version_before","type":"long","doc":"The version that had made the rows before."},{"name":"rows","type":"long","doc":"Rows that were made, of all tables."},{"name":"differing","type":"long","doc":"Rows that the live tables had otherwise, or only one of both had, but those that are gone."},{"name":"gone","type":"long","doc":"Rows that only the live tables had, of a projection some of whose events retention has taken."},{"name":"compared","type":"string","doc":"JSON text: for each table its rows, how they differ, and the keys of the first that do."},{"name":"by","type":"string","doc":"Who made them: projector."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RebuildFailed: {"type":"record","name":"RebuildFailed","namespace":"superinsight.sync","doc":"A rebuild was given up. The rows that are read are those from before.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"rebuild_id","type":"string","doc":"The rebuild."},{"name":"projection","type":"string","doc":"Name of the projection."},{"name":"error","type":"string","doc":"Why."},{"name":"by","type":"string","doc":"Who gave it up: projector."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RecordPushed: {"type":"record","name":"RecordPushed","namespace":"superinsight.sync","doc":"A record came in, as it came in: nothing is rounded, reordered or dropped. One message a record; the key is the data set and the id.","fields":[{"name":"dataset","type":"string","doc":"Name of the data set the record belongs to."},{"name":"id","type":"string","doc":"The record's id, unique in its data set."},{"name":"op","type":{"type":"enum","name":"Operation","symbols":["upsert","delete"],"doc":"What the producer asks for."},"doc":"upsert: write the data under this id; delete: remove the record."},{"name":"data","type":"string","doc":"The record's data as JSON text, byte for byte as pushed; null for a delete that brought none."},{"name":"version","type":["null","long"],"default":null,"doc":"metadata.version: the version of the record that this one was made from, when the producer knows it."},{"name":"updated_at","type":["null","string"],"default":null,"doc":"metadata.updated_at: when the producer's own system changed the record, RFC 3339."},{"name":"upsert","type":"boolean","default":true,"doc":"False: the producer expects the id to be new, and an existing one must not be overwritten."},{"name":"source","type":"string","doc":"The system the record comes from."},{"name":"actor","type":"string","doc":"The client or API key that pushed it."},{"name":"request_id","type":"string","doc":"The request that brought it."},{"name":"line","type":"long","doc":"Its place in that request: the line of a stream from 1, the index in a batch from 0."},{"name":"received_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the edge took it in, milliseconds since 1970 UTC."},{"name":"job_id","type":["null","string"],"default":null,"doc":"The job whose run brought it, if one did."},{"name":"conflict","type":["null",{"type":"record","name":"ConflictHandling","doc":"What is to happen when this record conflicts with the one that is there, or which conflict it ends.","fields":[{"name":"policy","type":["null","string"],"default":null,"doc":"The data set's conflict policy when the record was taken in, as JSON text; null: last_write_wins."},{"name":"resolves","type":["null","string"],"default":null,"doc":"The conflict that this record ends; it conflicts with nothing itself."},{"name":"resolution","type":["null","string"],"default":null,"doc":"How: accept_incoming, keep_current or merge."},{"name":"write","type":"boolean","default":true,"doc":"False: the row stays as it is."}]}],"default":null,"doc":"Null: it conflicts with nothing, for it does not say what it was made from and no policy is set; so does one from before there were conflicts."},{"name":"origin","type":["null",{"type":"record","name":"Origin","doc":"The record that one was made of.","fields":[{"name":"dataset_id","type":"string","doc":"Id of the data set that it is from."},{"name":"record_id","type":"string","doc":"The record's id there."},{"name":"strategy","type":"string","doc":"What made it: dilution, or a strategy of augmentation."},{"name":"seed","type":"string","doc":"What the choice, or the chances of the strategy, followed from."}]}],"default":null,"doc":"Of a record that a dilution or an augmentation made or took over from another data set; null: it was pushed."},{"name":"keeps_rules","type":["null","boolean"],"default":null,"doc":"Whether the data kept what the data set's schema said, when it came in, of values beyond their types (ranges, patterns, formats, enumerations); null: it said nothing, or the record was not held against it."}]},
  RecordRejected: {"type":"record","name":"RecordRejected","namespace":"superinsight.sync","doc":"A row was refused. It is kept with its reason and its bytes, so that it can be mended and sent again.","fields":[{"name":"id","type":"string","doc":"The rejection's id, rej_ and a time-ordered part."},{"name":"dataset","type":["null","string"],"default":null,"doc":"The data set it was meant for, when known."},{"name":"record_id","type":["null","string"],"default":null,"doc":"The record's id, when it could be read."},{"name":"stage","type":"string","doc":"Where it was refused: parse, validate, transform or destination."},{"name":"code","type":"string","doc":"Why, as a stable code."},{"name":"field","type":["null","string"],"default":null,"doc":"The field that is wrong, as a dotted path."},{"name":"message","type":"string","doc":"Why, in words."},{"name":"original","type":"bytes","doc":"The row as it came in."},{"name":"original_bytes","type":"long","doc":"Its full length; more than original holds when the row was over the length limit."},{"name":"source","type":"string","doc":"The system it came from."},{"name":"actor","type":"string","doc":"The client or API key that pushed it."},{"name":"request_id","type":"string","doc":"The request that brought it."},{"name":"line","type":"long","doc":"Its place in that request: the line of a stream from 1, the index in a batch from 0."},{"name":"received_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the edge took it in, milliseconds since 1970 UTC."},{"name":"job_id","type":["null","string"],"default":null,"doc":"The job whose run brought it, if one did."},{"name":"value","type":["null","string"],"default":null,"doc":"The value that is wrong, as text, or the beginning of it."},{"name":"webhook_id","type":["null","string"],"default":null,"doc":"The webhook it was delivered to, if it was."},{"name":"data_only","type":"boolean","default":false,"doc":"Whether original is only a record's data, as a file's row or a webhook's delivery is, rather than a record as it is pushed."},{"name":"id_at","type":["null","string"],"default":null,"doc":"Where in that data the record's id is, as a JSON pointer; null when it does not come from there."},{"name":"data","type":["null","string"],"default":null,"doc":"The row's data as it could be read, as JSON text, when original is something else, such as a line of csv."},{"name":"text_only","type":"boolean","default":false,"doc":"Whether that data can only have texts, as a csv's can."},{"name":"upsert","type":"boolean","default":true,"doc":"Whether its push wrote over records that are there."},{"name":"validate","type":"boolean","default":true,"doc":"Whether its push checked rows against the schema of their data set."},{"name":"transform","type":"boolean","default":true,"doc":"Whether its push applied the transformations of their data set."}]},
  RejectionReplayed: {"type":"record","name":"RejectionReplayed","namespace":"superinsight.sync","doc":"A refused row was sent again and taken. The record itself is on sync.records, written in the same append.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"rejection_id","type":"string","doc":"The refused row."},{"name":"dataset","type":"string","doc":"The data set the record went to."},{"name":"record_id","type":"string","doc":"The record."},{"name":"mended","type":"boolean","doc":"Whether its data was changed first."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  RunLogged: {"type":"record","name":"RunLogged","namespace":"superinsight.sync","doc":"Something worth telling happened in a run.","fields":[{"name":"job_id","type":"string","doc":"The job."},{"name":"run_id","type":"string","doc":"The run."},{"name":"level","type":{"type":"enum","name":"LogLevel","symbols":["debug","info","warning","error"],"doc":"How much it matters."},"doc":"How much it matters."},{"name":"message","type":"string","doc":"A constant sentence."},{"name":"metadata","type":"string","doc":"What it is about, as a JSON object's text."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  WebhookConfigured: {"type":"record","name":"WebhookConfigured","namespace":"superinsight.sync","doc":"A webhook was made or changed; this is all of it from here on.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"webhook_id","type":"string","doc":"The webhook's id, wh_ and a time-ordered part."},{"name":"name","type":"string","doc":"What its maker called it."},{"name":"dataset","type":"string","doc":"The data set its deliveries go to."},{"name":"schema","type":["null","string"],"default":null,"doc":"JSON Schema that a delivery must fit, as JSON text; null: any object."},{"name":"record_id","type":["null","string"],"default":null,"doc":"JSON pointer to the record's id in a delivery; null: the delivery's own id."},{"name":"scheme","type":{"type":"enum","name":"SignatureScheme","symbols":["none","standard","github","stripe","slack"],"doc":"How deliveries are signed."},"doc":"How deliveries are signed; none: they carry a token of ours."},{"name":"secrets","type":{"type":"array","items":"string"},"doc":"References into the secret store, two while a secret is being rotated. No secret is here."},{"name":"enabled","type":"boolean","doc":"False: deliveries are refused as if there were no such webhook."},{"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was made, milliseconds since 1970 UTC."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
  WebhookDeleted: {"type":"record","name":"WebhookDeleted","namespace":"superinsight.sync","doc":"A webhook is gone.","fields":[{"name":"command_id","type":"string","doc":"The command this follows from."},{"name":"webhook_id","type":"string","doc":"The webhook."},{"name":"by","type":"string","doc":"The client or API key that asked for it."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When, milliseconds since 1970 UTC."}]},
}

/** The topic that each record travels on, as topics/ has it. */
export const topicOf: { readonly [Name in keyof Events]: string } = {
  ApiKeyCreated: 'sync.access',
  ApiKeyRevoked: 'sync.access',
  RefreshFamilyOpened: 'sync.access',
  RefreshTokenRotated: 'sync.access',
  RefreshFamilyRevoked: 'sync.access',
  AccessTokenRevoked: 'sync.access',
  ClientCreated: 'sync.access',
  ClientDeleted: 'sync.access',
  RecordChanged: 'sync.changes',
  ConflictTold: 'sync.changes',
  CommandIssued: 'sync.commands',
  ConflictDetected: 'sync.conflicts',
  ConflictResolved: 'sync.conflicts',
  ConflictReopened: 'sync.conflicts',
  LogCopied: 'sync.origins',
  DatasetConfigured: 'sync.datasets',
  RecordForwarded: 'sync.forwarded',
  JobConfigured: 'sync.jobs',
  JobDeleted: 'sync.jobs',
  RunQueued: 'sync.jobs',
  RunStarted: 'sync.jobs',
  RunPaused: 'sync.jobs',
  RunResumed: 'sync.jobs',
  RunWaiting: 'sync.jobs',
  RunCancelled: 'sync.jobs',
  RunCompleted: 'sync.jobs',
  RunFailed: 'sync.jobs',
  RunCheckpointed: 'sync.jobs',
  RunSkipped: 'sync.jobs',
  JobStateSet: 'sync.jobs',
  CommandDecided: 'sync.outcomes',
  RebuildRequested: 'sync.projections',
  RebuildCompleted: 'sync.projections',
  RebuildFailed: 'sync.projections',
  RecordPushed: 'sync.records',
  RecordRejected: 'sync.rejected',
  RejectionReplayed: 'sync.replays',
  RunLogged: 'sync.logs',
  WebhookConfigured: 'sync.webhooks',
  WebhookDeleted: 'sync.webhooks',
}
