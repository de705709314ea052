-- Credentials; only a hash of each key is kept. Times are RFC 3339 texts in UTC.
create table api_keys (
    id text not null primary key,
    tenant text not null,
    name text not null,
    hash text not null unique,
    scopes text not null,
    created_at text not null,
    expires_at text,
    revoked_at text,
    last_used_at text
);

create index api_keys_by_tenant on api_keys (tenant, id);
