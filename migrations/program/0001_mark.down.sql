drop table program_mark;
