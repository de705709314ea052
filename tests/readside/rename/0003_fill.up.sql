-- Why: people from before the column have nothing in it.
-- phase: backfill
-- batch: people by id size 100
update people set full_name = name where id between $1 and $2 and full_name is null;
