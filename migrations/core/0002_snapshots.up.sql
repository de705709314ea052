-- A cache of folded state: the newest of each stream. Deleting rows loses nothing but time.
create table snapshots (
    tenant text not null,
    category text not null,
    stream text not null,
    aggregate text not null,
    schema_hash bigint not null,
    logic_version bigint not null,
    revision bigint not null,
    crc bigint not null,
    state bytea not null,
    primary key (tenant, category, stream)
);
