drop index events_tenant_id;
drop function record_tenant;
