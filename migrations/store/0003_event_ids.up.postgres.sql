-- An event id belongs to its tenant, who stands in the record: no row is written anew, and the
-- index is built while others append.
-- transaction: none
-- lock-timeout: 60s

-- Returns the name of the tenant in a record, as bytes. docs/reference/log-format.md has the places.
create or replace function record_tenant(record bytea) returns bytea
language sql immutable parallel safe
as $$
    select pg_catalog.substring(record, 73, pg_catalog.get_byte(record, 58))
$$;

create unique index concurrently if not exists events_tenant_id on events (id, record_tenant(record));
