drop index api_keys_by_tenant;
drop table api_keys;
