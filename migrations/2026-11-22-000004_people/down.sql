DROP TABLE device_clock, reading_correction, reassignment_item, reassignment, assignment_history;
ALTER TABLE assignment DROP COLUMN identity_id;
DROP INDEX held_reading_list;
ALTER TABLE held_reading DROP CONSTRAINT held_reading_state_check;
UPDATE held_reading SET state = 'released' WHERE state IN ('claimed', 'taken');
ALTER TABLE held_reading ADD CONSTRAINT held_reading_state_check CHECK (state IN ('open', 'released', 'discarded'));
ALTER TABLE held_reading
    DROP COLUMN settled_at, DROP COLUMN observation_id, DROP COLUMN patient_id, DROP COLUMN assignment_id,
    DROP COLUMN time_zone, DROP COLUMN clock_offset_ms, DROP COLUMN decoder_version, DROP COLUMN decoder_name, DROP COLUMN content_hash;
