-- One row for every set of tables of a projection: the live one, and the one a rebuild fills.
-- Rows and checkpoint of a batch commit together; a writer compares owner and position first.
create table projection_checkpoints (
    name text not null,
    generation bigint not null,
    version bigint not null,
    is_live bigint not null,
    owner bigint not null,
    position bigint not null,
    state text not null,
    unknown bigint not null,
    last_error text,
    poison_position bigint,
    tables text not null,
    primary key (name, generation)
);

-- Events that were passed over, by policy or by an operator, with the reason.
create table projection_skipped (
    name text not null,
    generation bigint not null,
    position bigint not null,
    event_id text not null,
    tenant text not null,
    category text not null,
    stream text not null,
    event_type text not null,
    reason text not null,
    skipped_at text not null,
    primary key (name, generation, position)
);

-- Events that wait for an operator: the first of a stream has the reason, the others wait behind.
create table projection_parked (
    name text not null,
    generation bigint not null,
    position bigint not null,
    event_id text not null,
    tenant text not null,
    category text not null,
    stream text not null,
    event_type text not null,
    reason text,
    parked_at text not null,
    primary key (name, generation, position)
);

create index projection_parked_by_stream
    on projection_parked (name, generation, tenant, category, stream, position);
