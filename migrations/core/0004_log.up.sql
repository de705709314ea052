-- Which log the rows of all projections are made of, by the id of its first event: one row, put
-- in before the first event is applied. A program with another log is refused.
create table projection_log (
    id bigint not null primary key,
    first_event text not null
);
