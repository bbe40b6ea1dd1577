-- Secrets that webhooks and connectors were given, sealed: their references are in the log.
create table superinsight.secrets (
  reference text collate "C" primary key,
  sealed bytea not null
);
-- Uploaded files in pieces, until their import is over.
create table superinsight.files (
  id text collate "C" not null,
  piece integer not null,
  bytes bytea not null,
  primary key (id, piece)
);
