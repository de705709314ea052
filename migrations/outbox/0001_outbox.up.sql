-- What endpoints owe. While deliveries succeed only cursors change, at most twice a second each,
-- and attempts are added in batches. Times are RFC 3339 texts in UTC.

-- Who works for which part of the endpoints: the token of the lease, compared at each write.
create table outbox_shards (
    shard bigint not null primary key,
    owner bigint not null,
    -- Up to here the log was searched for new endpoints.
    position bigint not null,
    beat_at text not null
);

-- How far each endpoint is. Feed 0 is what comes; another is the replay that was ordered by the
-- event of that revision of the endpoint's stream.
create table outbox_cursors (
    tenant text not null,
    endpoint text not null,
    feed bigint not null,
    shard bigint not null,
    -- Everything up to here is delivered, or in a row of outbox_retries or outbox_dead_letters.
    position bigint not null,
    -- Where a replay ends; null when it does not.
    until_position bigint,
    -- Orders of operators up to this revision of the endpoint's stream are done.
    orders_revision bigint not null,
    delivered bigint not null,
    failed bigint not null,
    -- The first failure since the last success; null while it works.
    failing_since text,
    -- When the oldest event was recorded that is neither delivered nor given up; null when none is.
    oldest_at text,
    -- Whether few requests are made because all have failed: 0 or 1.
    is_broken bigint not null,
    updated_at text not null,
    primary key (tenant, endpoint, feed)
);

create index outbox_cursors_by_shard on outbox_cursors (shard);

-- Events that are tried again: of a stream the first that failed; the later ones wait behind it.
create table outbox_retries (
    tenant text not null,
    endpoint text not null,
    feed bigint not null,
    -- The stream; empty when every later event waits, the position when none does.
    line text not null,
    -- Whose event it is; that of the endpoint, unless it gets those of others.
    event_tenant text not null,
    category text not null,
    stream text not null,
    event_type text not null,
    event_id text not null,
    position bigint not null,
    revision bigint not null,
    -- Everything of the stream up to this revision is delivered or left out.
    after_revision bigint not null,
    recorded_at text not null,
    attempts bigint not null,
    first_failed_at text not null,
    due_at text not null,
    last_status bigint,
    last_error text,
    -- About how many events wait behind it.
    waiting bigint not null,
    primary key (tenant, endpoint, feed, line)
);

-- Events that were given up and wait for an operator, and so do those behind them.
create table outbox_dead_letters (
    tenant text not null,
    endpoint text not null,
    feed bigint not null,
    line text not null,
    -- Whose event it is; that of the endpoint, unless it gets those of others.
    event_tenant text not null,
    category text not null,
    stream text not null,
    event_type text not null,
    event_id text not null,
    position bigint not null,
    revision bigint not null,
    after_revision bigint not null,
    recorded_at text not null,
    attempts bigint not null,
    first_failed_at text not null,
    died_at text not null,
    last_status bigint,
    last_error text,
    waiting bigint not null,
    primary key (tenant, endpoint, feed, line)
);

-- What operators had left out, while the cursor of the endpoint is before it: events of the line up
-- to a position, which are not sent when they are read again.
create table outbox_left_out (
    tenant text not null,
    endpoint text not null,
    feed bigint not null,
    line text not null,
    position bigint not null,
    primary key (tenant, endpoint, feed, line)
);

-- What is pending: of each stream the event that is tried again or was given up, with the number of
-- those behind it. What no request was made for yet lies in the log behind the cursor.
create view outbox as
select tenant, endpoint, feed, 'retrying' as state, event_tenant, category, stream, event_type, event_id,
    position, revision, recorded_at, attempts, first_failed_at, due_at, last_status, last_error,
    waiting
from outbox_retries
union all
select tenant, endpoint, feed, 'dead' as state, event_tenant, category, stream, event_type, event_id,
    position, revision, recorded_at, attempts, first_failed_at, null as due_at, last_status,
    last_error, waiting
from outbox_dead_letters;
