-- Attempts, in four parts used in turn: when one is full, the oldest is emptied as a whole, so
-- nothing is ever deleted row by row.
create table outbox_attempts_0 (
    tenant text not null,
    endpoint text not null,
    -- Microseconds since 1970.
    at_us bigint not null,
    position bigint not null,
    feed bigint not null,
    category text not null,
    stream text not null,
    event_type text not null,
    event_id text not null,
    attempt bigint not null,
    verdict text not null,
    status bigint,
    error text,
    response text,
    took_us bigint not null,
    primary key (tenant, endpoint, at_us, position, feed)
);

create table outbox_attempts_1 (
    tenant text not null,
    endpoint text not null,
    -- Microseconds since 1970.
    at_us bigint not null,
    position bigint not null,
    feed bigint not null,
    category text not null,
    stream text not null,
    event_type text not null,
    event_id text not null,
    attempt bigint not null,
    verdict text not null,
    status bigint,
    error text,
    response text,
    took_us bigint not null,
    primary key (tenant, endpoint, at_us, position, feed)
);

create table outbox_attempts_2 (
    tenant text not null,
    endpoint text not null,
    -- Microseconds since 1970.
    at_us bigint not null,
    position bigint not null,
    feed bigint not null,
    category text not null,
    stream text not null,
    event_type text not null,
    event_id text not null,
    attempt bigint not null,
    verdict text not null,
    status bigint,
    error text,
    response text,
    took_us bigint not null,
    primary key (tenant, endpoint, at_us, position, feed)
);

create table outbox_attempts_3 (
    tenant text not null,
    endpoint text not null,
    -- Microseconds since 1970.
    at_us bigint not null,
    position bigint not null,
    feed bigint not null,
    category text not null,
    stream text not null,
    event_type text not null,
    event_id text not null,
    attempt bigint not null,
    verdict text not null,
    status bigint,
    error text,
    response text,
    took_us bigint not null,
    primary key (tenant, endpoint, at_us, position, feed)
);

-- Which part is written now, and about how many rows it has.
create table outbox_attempts_part (
    id bigint not null primary key,
    part bigint not null,
    rows_written bigint not null
);

insert into outbox_attempts_part (id, part, rows_written) values (1, 0, 0);

-- All attempts that are kept.
create view outbox_attempts as
select * from outbox_attempts_0
union all select * from outbox_attempts_1
union all select * from outbox_attempts_2
union all select * from outbox_attempts_3;
