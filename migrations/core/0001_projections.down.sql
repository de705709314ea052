drop table projection_parked;
drop table projection_skipped;
drop table projection_checkpoints;
