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
    -- How long after its last heartbeat it is taken for dead; 0 when it has left in order.
    silence_ms bigint not null,
    -- JSON object: the last step of each capability that the program knows.
    knows text not null,
    -- JSON object: what it could hold a lease on, and its version of that.
    runs text not null
);

-- What only one node may do at a time. A row stays when nobody holds it, so that its token,
-- which tells a holder from those before it, only ever rises.
create table leases (
    name text not null primary key,
    node text,
    token bigint not null,
    taken_at bigint
);
