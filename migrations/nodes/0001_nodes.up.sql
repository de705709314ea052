-- The programs that use this database, each start of one a row, and what they hold.
-- Times are this database's own, in milliseconds since 1970: clocks of machines differ.
create table nodes (
    id text not null primary key,
    name text not null,
    program_version text not null,
    -- Where its API answers; null when it has none.
    address text,
    started_at bigint not null,
    heartbeat_at bigint not null,
    -- How long after its last heartbeat it is taken for dead.
    silence_ms bigint not null,
    -- JSON object: the last step of each capability that the program knows.
    knows text not null,
    -- JSON object: the version of each projection that the program has.
    projections text not null
);

-- What only one node may do at a time. A row stays when nobody holds it, so that the token,
-- which fences the holders before, only ever rises.
create table leases (
    name text not null primary key,
    node text,
    token bigint not null,
    taken_at bigint
);
