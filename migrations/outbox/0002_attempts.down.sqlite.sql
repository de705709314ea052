drop view outbox_attempts;
drop table outbox_attempts_part;
drop table outbox_attempts_3;
drop table outbox_attempts_2;
drop table outbox_attempts_1;
drop table outbox_attempts_0;
