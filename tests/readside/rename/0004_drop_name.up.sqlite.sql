-- Why: nobody says name any more.
-- phase: contract
drop trigger people_full_named;
drop trigger people_named;
drop trigger people_added;
alter table people drop column name;
