create or replace function match_condition(condition jsonb) returns bigint
language plpgsql stable
set search_path from current
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    item jsonb;
    kinds integer[];
    tags text[];
    beyond bigint := (condition->>'after')::bigint;
    found_at bigint;
begin
    for item in select jsonb_array_elements(condition->'items') loop
        kinds := query_kinds(condition->>'tenant', item);
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

drop function find_match;
