-- Conditions are examined before an append is sent: under the order, only what came since.

-- Returns the position of an event that a condition looks for, or null; -2 when that takes more
-- than `probes_max` looks into an index. Run by readers, outside of the order.
--
-- condition: {"tenant": …, "after": …, "items": […]}
create function find_match(condition jsonb, probes_max bigint default null) returns bigint
language plpgsql stable
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    item jsonb;
    kinds integer[];
    tags text[];
    beyond bigint := (condition->>'after')::bigint;
    probes bigint := 0;
    found_at bigint;
begin
    for item in select jsonb_array_elements(condition->'items') loop
        kinds := query_kinds(condition->>'tenant', item);
        probes := probes + cardinality(kinds);
        if probes > probes_max then
            return -2;
        end if;
        select array_agg(t) into tags from jsonb_array_elements_text(item->'tags') as t;
        if tags is null then
            select min(e.position) into found_at
            from unnest(kinds) as k(id)
            cross join lateral (
                -- Compared as a row, so that only the index of kinds fits, whatever the statistics.
                select x.position, x.kind from events as x
                where (x.kind, x.position) > (k.id, beyond) order by x.kind, x.position limit 1
            ) as e
            where e.kind = k.id;
        else
            select min(e.position) into found_at
            from unnest(kinds) as k(id)
            cross join lateral (
                select t.position from event_tags as t
                where t.tag = tags[1] and t.kind = k.id and t.position > beyond
                  and not exists (
                      select from unnest(tags[2:]) as o(tag)
                      where not exists (
                          select from event_tags as x
                          where x.tag = o.tag and x.kind = t.kind and x.position = t.position
                      )
                  )
                order by t.position limit 1
            ) as e;
        end if;
        if found_at is not null then
            return found_at;
        end if;
    end loop;
    return null;
end
$$;

-- Returns the position of an event that a condition looks for, or null, under the order of
-- appends; -1 when more than `rest_max` events lie after its position, so that it must be examined
-- again outside.
--
-- condition: {"tenant": …, "after": …, "items": […], "rest_max": …}; `refused` when the program
-- has found already that it refuses, which is then returned. A program of an older version gives
-- no `rest_max`: it examines nothing before, and all is looked at here.
create or replace function match_condition(condition jsonb) returns bigint
language plpgsql stable
set search_path from current
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    beyond bigint := (condition->>'after')::bigint;
    rest_max bigint := (condition->>'rest_max')::bigint;
    last bigint;
    item jsonb;
    rest_kinds integer[];
    kinds integer[];
    tags text[];
    found_at bigint;
begin
    if condition->>'refused' is not null then
        return (condition->>'refused')::bigint;
    end if;
    if rest_max is null then
        return find_match(condition);
    end if;
    select e.position into last from events as e order by e.position desc limit 1;
    if last is null or last <= beyond then
        return null;
    end if;
    if last - beyond > rest_max then
        return -1;
    end if;
    select array_agg(distinct e.kind) into rest_kinds from events as e where e.position > beyond;
    for item in select jsonb_array_elements(condition->'items') loop
        select array_agg(k.id) into kinds from event_kinds as k
        where k.id = any (rest_kinds) and k.tenant = condition->>'tenant'
          and (jsonb_array_length(item->'categories') = 0 or item->'categories' ? k.category)
          and (jsonb_array_length(item->'types') = 0 or item->'types' ? k.type);
        continue when kinds is null;
        select array_agg(t) into tags from jsonb_array_elements_text(item->'tags') as t;
        select e.position into found_at from events as e
        where e.position > beyond and e.kind = any (kinds)
          and not exists (
              select from unnest(tags) as o(tag)
              where not exists (
                  select from event_tags as x
                  where x.tag = o.tag and x.kind = e.kind and x.position = e.position
              )
          )
        order by e.position limit 1;
        if found_at is not null then
            return found_at;
        end if;
    end loop;
    return null;
end
$$;
