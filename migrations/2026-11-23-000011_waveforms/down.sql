ALTER TABLE endpoint DROP COLUMN filter_except_codes;
