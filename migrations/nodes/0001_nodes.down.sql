drop table leases;
drop table nodes;
