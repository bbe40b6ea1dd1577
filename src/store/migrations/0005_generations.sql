-- Which version of its code has filled each projection's tables, and what is being filled beside them.
create table superinsight.generations (
  projection text not null,
  number bigint not null,
  version bigint not null,
  state text not null,
  rebuild text,
  started_at bigint,
  result text,
  tables text not null,
  done bigint not null default 0,
  total bigint not null default 0,
  primary key (projection, number)
);
