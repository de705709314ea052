drop view outbox;
drop table outbox_left_out;
drop table outbox_dead_letters;
drop table outbox_retries;
drop table outbox_cursors;
drop table outbox_shards;
