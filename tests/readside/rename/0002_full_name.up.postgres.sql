-- Why: name is to be called full_name. Until every program says so, each of the two follows the
-- one that is written.
-- phase: expand
-- lock-timeout: 200ms
alter table people add column full_name text;

create function people_names() returns trigger
language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.full_name := coalesce(new.full_name, new.name);
        new.name := coalesce(new.name, new.full_name);
    elsif new.name is distinct from old.name then
        new.full_name := new.name;
    elsif new.full_name is distinct from old.full_name then
        new.name := new.full_name;
    end if;
    return new;
end
$$;

create trigger people_names before insert or update on people
    for each row execute function people_names();
