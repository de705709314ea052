drop table snapshots;
