drop function append_batch;
drop function match_condition;
drop function query_kinds;
drop table event_fences, event_tags, events, streams, event_kinds, event_order;
drop function refuse_foreign_write;
