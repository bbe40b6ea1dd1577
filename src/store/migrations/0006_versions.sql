-- From where on a projection's earlier versions are there, in each stream. `kept` is the claim under which the floor holds:
-- a checkpoint that was claimed since by a projector that keeps none has no versions before where it is.
alter table superinsight.checkpoints add column floor bigint not null default -1;
alter table superinsight.checkpoints add column kept bigint not null default 0;
