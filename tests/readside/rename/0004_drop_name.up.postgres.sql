-- Why: nobody says name any more.
-- phase: contract
-- lock-timeout: 200ms
drop trigger people_names on people;
-- squawk-ignore ban-drop-function
drop function people_names;
-- squawk-ignore ban-drop-column
alter table people drop column name;
