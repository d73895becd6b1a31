-- Sealed raw bytes cannot be put back by SQL: they go. Replays of what arrived meanwhile are lost with them; Observations
-- and passports stay.
DROP TABLE uplink_body_kept, uplink_body, data_key;
DROP FUNCTION drop_partition(text, date, integer);
DROP FUNCTION attach_partition(text, date);
DROP INDEX uplink_unsealed, uplink_incomplete;
ALTER TABLE tenant DROP COLUMN uplink_retention_days, DROP COLUMN bodies_swept_until;

-- The state `expired` stays allowed: rows that have it are not the owner's to change (forced row-level security).
COMMENT ON COLUMN quarantine.state IS NULL;
COMMENT ON COLUMN uplink.body IS 'The raw bytes; dropped after the tenant''s retention, hash and size stay.';
COMMENT ON COLUMN uplink.outcome IS 'stored, duplicate, nothing, undecodable, incomplete, unassigned, held or quarantined.';

CREATE OR REPLACE FUNCTION ensure_partitions(days_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    parent text;
    day date;
    name text;
    made integer := 0;
BEGIN
    IF days_ahead NOT BETWEEN 1 AND 90 THEN
        RAISE EXCEPTION 'days_ahead must be between 1 and 90, not %', days_ahead;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('afferent.ensure_partitions'));
    FOREACH parent IN ARRAY ARRAY['uplink', 'delivery_log'] LOOP
        FOR offset_days IN -1 .. days_ahead LOOP
            day := (now() AT TIME ZONE 'UTC')::date + offset_days;
            name := parent || '_' || to_char(day, 'YYYYMMDD');
            IF to_regclass('public.' || name) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', name, parent,
                    day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
                EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
                EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
