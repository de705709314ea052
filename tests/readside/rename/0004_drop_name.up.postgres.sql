-- Why: nobody says name any more.
-- phase: contract
-- lock-timeout: 200ms
drop trigger people_names on people;
drop function people_names;
alter table people drop column name;
