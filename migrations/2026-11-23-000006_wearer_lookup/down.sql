ALTER TABLE assignment DROP CONSTRAINT assignment_overlap;
ALTER TABLE assignment ADD CONSTRAINT assignment_overlap
    EXCLUDE USING gist (tenant_id WITH =, device_id WITH =, slot WITH =, tstzrange(worn_from, worn_until) WITH &&);
