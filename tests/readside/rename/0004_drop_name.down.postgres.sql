-- Makes name again from full_name, and both follow each other as before.
-- lock-timeout: 200ms
alter table people add column name text;
update people set name = full_name;

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
