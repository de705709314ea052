drop table projection_log;
