-- Which program the tables around it belong to: row 1, put in before any other table is made. A
-- program of another name leaves them alone. Row 2, if there is one, names the demo's shop that the
-- log holds as a whole.
create table program_mark (
    id bigint not null primary key,
    name text not null,
    made_at text not null
);
