-- How far each projection has come in each stream. A commit names the epoch of the claim it was made under: only the
-- last claimer's counts.
create table superinsight.checkpoints (
  projection text not null,
  stream text not null,
  "offset" bigint not null,
  epoch bigint not null,
  primary key (projection, stream)
) with (fillfactor = 50);
