create table people (
    id bigint not null primary key,
    name text
);
