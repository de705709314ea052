-- lock-timeout: 200ms
drop trigger people_names on people;
drop function people_names;
alter table people drop column full_name;
