-- Makes name again from full_name, and both follow each other as before.
alter table people add column name text;
update people set name = full_name;

create trigger people_added after insert on people
    when new.name is null or new.full_name is null
begin
    update people set name = coalesce(new.name, new.full_name),
        full_name = coalesce(new.full_name, new.name) where id = new.id;
end;

create trigger people_named after update of name on people
    when new.name is not old.name and new.full_name is not new.name
begin
    update people set full_name = new.name where id = new.id;
end;

create trigger people_full_named after update of full_name on people
    when new.full_name is not old.full_name and new.name is not new.full_name
begin
    update people set name = new.full_name where id = new.id;
end;
