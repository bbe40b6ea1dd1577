-- The log whose events the rows follow from. Offsets of another log would mean other events.
create table superinsight.source (
  log text primary key
);
