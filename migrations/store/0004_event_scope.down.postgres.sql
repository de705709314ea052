-- Fails when two tenants have one event id: an older program cannot keep such a log.

select set_config('headwater.appending', pg_current_xact_id()::text, true);
update event_order set format = 1;
select set_config('headwater.appending', '', true);

alter table events add constraint events_id unique (id);

drop function append_batch;

-- Appends a batch of appends in their order, each wholly or not at all, and says for each what
-- came of it. All numbers that point into arrays start at 1.
--
-- a_last: each append's last write. a_condition: its condition, for match_condition.
-- a_rivals, rivals: the last entry of each append in rivals; events of earlier appends of this
-- batch that its condition looks for.
-- w_stream, w_expected, w_first, w_last: each write's stream, what its revision must be (-1 any,
-- -2 at least 1), its first and last event.
-- s_*: the batch's streams. k_*: its kinds of events. e_*: its events. t_*: their tags.
-- No id occurs twice in a batch.
-- node_session: names the connection that it is sent on; null means that nobody will give it up.
-- lost_sessions: those that the node gave up before, not knowing what came of their last batch.
--
-- outcome: 0 stored, 1 was stored before, 2 conflict, 3 condition failed, 4 id reused.
-- place: the last event's position; that of the match; that of the reused id.
-- cause: the write in conflict; the event whose id is reused.
-- actual: the revision in conflict. w_revision: the first revision of each write.
create function append_batch(
    a_last integer[], a_condition text[], a_rivals integer[], rivals integer[],
    w_stream integer[], w_expected bigint[], w_first integer[], w_last integer[],
    s_name text[], s_family text[],
    k_tenant text[], k_category text[], k_type text[],
    e_write integer[], e_kind integer[], e_id uuid[], e_record bytea[],
    t_event integer[], t_tag text[],
    node_session uuid default null, lost_sessions uuid[] default null,
    out head bigint, out outcome integer[], out place bigint[], out cause integer[],
    out actual bigint[], out w_revision bigint[]
)
language plpgsql
set search_path from current
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
-- The few rows of event_kinds have no index for a condition; the price that is put on reading
-- them in full would have each condition compiled first, a quarter of a second under the lock.
set jit = off
-- Whoever holds the order for longer has forgotten to commit.
set lock_timeout = '5s'
as $$
#variable_conflict use_column
declare
    appends integer := cardinality(a_last);
    writes integer := cardinality(w_stream);
    old_head bigint;
    recorded timestamptz;
    stream_ids bigint[];
    old_ids bigint[];
    revisions bigint[];
    kind_ids integer[];
    known_events integer[];
    known_places bigint[];
    known_streams bigint[];
    known_revisions bigint[];
    is_known boolean[];
    w_place bigint[];
    w_base bigint[];
    a integer;
    w integer;
    r integer;
    first_write integer := 1;
    slot integer;
    revision bigint;
    match bigint;
    verdict integer;
    match_count integer;
    is_same boolean;
    setting text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'append_batch needs isolation level read committed, not %',
            current_setting('transaction_isolation') using errcode = 'HW002';
    end if;
    if current_setting('synchronous_commit') = 'off' then
        setting := set_config('synchronous_commit', 'on', true);
    end if;
    -- Held until the commit is visible: whoever has it next sees everything before.
    lock table event_order in share row exclusive mode;
    setting := set_config('headwater.appending', pg_current_xact_id()::text, true);
    -- A batch whose connection was lost may come after the same batch was sent on another and
    -- refused there: its node would tell that nothing was stored, and then it would be.
    if lost_sessions is not null then
        insert into event_fences (session) select unnest(lost_sessions) on conflict do nothing;
    end if;
    if exists (select from event_fences as f where f.session = node_session) then
        raise exception 'session % was given up by its node', node_session using errcode = 'HW003';
    end if;

    select e.position, greatest(e.recorded_at, clock_timestamp()) into old_head, recorded
    from events e order by e.position desc limit 1;
    old_head := coalesce(old_head, 0);
    recorded := coalesce(recorded, clock_timestamp());
    head := old_head;

    select array_agg(coalesce(s.id, 0) order by d.n), array_agg(coalesce(l.revision, 0) order by d.n)
    into stream_ids, revisions
    from unnest(s_name) with ordinality as d(name, n)
    left join streams s on s.name = d.name
    left join lateral (
        select e.revision from events e where e.stream = s.id order by e.revision desc limit 1
    ) as l on true;
    old_ids := stream_ids;

    select array_agg(d.n), array_agg(e.position), array_agg(e.stream), array_agg(e.revision)
    into known_events, known_places, known_streams, known_revisions
    from unnest(e_id) with ordinality as d(id, n) join events e on e.id = d.id;

    outcome := array_fill(0, array[appends]);
    place := array_fill(0::bigint, array[appends]);
    cause := array_fill(0, array[appends]);
    actual := array_fill(0::bigint, array[appends]);
    w_revision := array_fill(0::bigint, array[writes]);
    w_place := array_fill(null::bigint, array[writes]);
    w_base := w_place;
    if known_events is not null then
        is_known := array_fill(false, array[appends]);
        for a in 1 .. appends loop
            is_known[a] := exists (
                select from unnest(known_events) as k(n)
                where k.n between w_first[first_write] and w_last[a_last[a]]);
            first_write := a_last[a] + 1;
        end loop;
        first_write := 1;
    end if;

    for a in 1 .. appends loop
        verdict := 0;
        if is_known[a] then
            verdict := 4;
            select count(*), max(k.place), min(k.place - k.n) = max(k.place - k.n)
                and bool_and(k.stream = stream_ids[w_stream[e_write[k.n]]])
            into match_count, match, is_same
            from unnest(known_events, known_places, known_streams) as k(n, place, stream)
            where k.n between w_first[first_write] and w_last[a_last[a]];
            if is_same and match_count = 1 + w_last[a_last[a]] - w_first[first_write] then
                verdict := 1;
                place[a] := match;
                for w in first_write .. a_last[a] loop
                    w_revision[w] := (
                        select k.revision
                        from unnest(known_events, known_revisions) as k(n, revision)
                        where k.n = w_first[w]);
                end loop;
            else
                select k.n, k.place into match_count, match
                from unnest(known_events, known_places) as k(n, place)
                where k.n between w_first[first_write] and w_last[a_last[a]]
                order by k.n limit 1;
                cause[a] := match_count;
                place[a] := match;
            end if;
        end if;
        if verdict = 0 then
            for w in first_write .. a_last[a] loop
                revision := revisions[w_stream[w]];
                if w_expected[w] <> revision and w_expected[w] <> -1
                    and (w_expected[w] <> -2 or revision = 0) then
                    verdict := 2;
                    cause[a] := w;
                    actual[a] := revision;
                    exit;
                end if;
            end loop;
        end if;
        if verdict = 0 and a_condition[a] is not null then
            match := match_condition(a_condition[a]::jsonb);
            if match is null then
                for r in coalesce(a_rivals[a - 1], 0) + 1 .. a_rivals[a] loop
                    w := e_write[rivals[r]];
                    if w_place[w] is not null then
                        match := w_place[w] + rivals[r];
                        exit;
                    end if;
                end loop;
            end if;
            if match is not null then
                verdict := 3;
                place[a] := match;
            end if;
        end if;
        if verdict = 0 then
            for w in first_write .. a_last[a] loop
                slot := w_stream[w];
                revision := revisions[slot];
                if stream_ids[slot] = 0 then
                    stream_ids[slot] := head + 1;
                end if;
                -- Bases, to which the number of an event in the batch is added.
                w_place[w] := head + 1 - w_first[w];
                w_base[w] := revision + 1 - w_first[w];
                w_revision[w] := revision + 1;
                head := head + 1 + w_last[w] - w_first[w];
                revisions[slot] := revision + 1 + w_last[w] - w_first[w];
            end loop;
            place[a] := head;
        end if;
        outcome[a] := verdict;
        first_write := a_last[a] + 1;
    end loop;

    if head > old_head then
        select array_agg(coalesce(k.id, 0) order by d.n) into kind_ids
        from unnest(k_tenant, k_category, k_type) with ordinality as d(tenant, category, type, n)
        left join event_kinds k
            on k.tenant = d.tenant and k.category = d.category and k.type = d.type;
        if 0 = any (kind_ids) then
            insert into event_kinds (id, tenant, category, type)
            select (select coalesce(max(k.id), 0) from event_kinds k) + row_number() over (order by d.n),
                d.tenant, d.category, d.type
            from unnest(k_tenant, k_category, k_type, kind_ids)
                with ordinality as d(tenant, category, type, id, n)
            where d.id = 0;
            select array_agg(k.id order by d.n) into kind_ids
            from unnest(k_tenant, k_category, k_type) with ordinality as d(tenant, category, type, n)
            join event_kinds k
                on k.tenant = d.tenant and k.category = d.category and k.type = d.type;
        end if;
        if stream_ids <> old_ids then
            insert into streams (name, family, id)
            select d.name, d.family, d.id
            from unnest(s_name, s_family, stream_ids, old_ids) as d(name, family, id, old_id)
            where d.id <> d.old_id;
        end if;
        insert into events (position, stream, revision, recorded_at, id, kind, record)
        select w_place[e.w] + e.n, stream_ids[w_stream[e.w]], w_base[e.w] + e.n, recorded,
            e.id, kind_ids[e.kind], e.record
        from unnest(e_write, e_kind, e_id, e_record) with ordinality as e(w, kind, id, record, n)
        where w_place[e.w] is not null;
        if cardinality(t_event) > 0 then
            insert into event_tags (tag, kind, position)
            select t.tag, kind_ids[e_kind[t.event]], w_place[e_write[t.event]] + t.event
            from unnest(t_event, t_tag) as t(event, tag)
            where w_place[e_write[t.event]] is not null;
        end if;
        perform pg_notify('headwater_' || 'event_order'::regclass::oid, head::text);
    end if;
    setting := set_config('headwater.appending', '', true);
end
$$;
