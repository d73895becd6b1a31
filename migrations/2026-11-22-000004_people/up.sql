-- People and time: what staff decide about held readings, corrections of who wore a device, and what is known of device
-- clocks. Nothing here is on the hot path: the group commit only probes held_reading's unique key.

-- ---------------------------------------------------------------------------------------------------------------
-- Held readings: what they said, and how they were settled
-- ---------------------------------------------------------------------------------------------------------------

ALTER TABLE held_reading
    ADD COLUMN content_hash bytea,
    ADD COLUMN decoder_name text,
    ADD COLUMN decoder_version text,
    ADD COLUMN clock_offset_ms bigint,
    ADD COLUMN time_zone text,
    ADD COLUMN assignment_id uuid,
    ADD COLUMN patient_id text COLLATE "C",
    ADD COLUMN observation_id text COLLATE "C",
    ADD COLUMN settled_at timestamptz;
ALTER TABLE held_reading DROP CONSTRAINT held_reading_state_check;
ALTER TABLE held_reading ADD CONSTRAINT held_reading_state_check
    CHECK (state IN ('open', 'claimed', 'released', 'taken', 'discarded', 'expired'));
CREATE INDEX held_reading_list ON held_reading (tenant_id, state, id);
COMMENT ON COLUMN held_reading.reading_key IS 'Hash of device, record key and kind, without the wearer; with the content''s hash behind it where another content has that key.';
COMMENT ON COLUMN held_reading.content_hash IS 'Hash of the clinical content: the same content again is known, other content is another matter. NULL for rows from before this column.';
COMMENT ON COLUMN held_reading.decoder_name IS 'The decoder that read it first; it is asked again when the reading is released, if it is still loaded in that version.';
COMMENT ON COLUMN held_reading.clock_offset_ms IS 'The clock offset that was applied when it came, so that decoding again gives the same time.';
COMMENT ON COLUMN held_reading.time_zone IS 'Zone of the device when it came, for the same reason.';
COMMENT ON COLUMN held_reading.assignment_id IS 'The assignment that gave the subject; for a claim of this one reading an id of its own, which is in no assignment row.';
COMMENT ON COLUMN held_reading.patient_id IS 'Whose it is, once a person or an assignment said so.';
COMMENT ON COLUMN held_reading.observation_id IS 'The Observation that it became.';
COMMENT ON COLUMN held_reading.state IS 'open; claimed, released (a person decided), taken (it came again, or was taken in, when its wearer was known); discarded (never a result, kept as evidence); expired (nobody decided in time, its bytes are gone; it opens again when it comes again).';

-- ---------------------------------------------------------------------------------------------------------------
-- Assignments: the identity that a split leaves untouched, and their history
-- ---------------------------------------------------------------------------------------------------------------

ALTER TABLE assignment ADD COLUMN identity_id uuid;
COMMENT ON COLUMN assignment.identity_id IS 'The id that identifiers of its readings are made with, where it is not its own: that of the assignment it was split from, so that a reading keeps its identifier.';

CREATE TABLE assignment_history (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    assignment_id uuid NOT NULL,
    device_id uuid NOT NULL,
    slot text NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    worn_from timestamptz NOT NULL,
    worn_until timestamptz,
    reassignment_id uuid NOT NULL,
    replaced_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX assignment_history_device ON assignment_history (tenant_id, device_id, id);
COMMENT ON TABLE assignment_history IS 'Assignments as they were before a reassignment shortened, split or replaced them; append-only.';

-- ---------------------------------------------------------------------------------------------------------------
-- Reassignments and the record of every correction
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE reassignment (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    device_id uuid NOT NULL,
    slot text NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    period_from timestamptz NOT NULL,
    period_until timestamptz,
    reason text NOT NULL,
    token_id uuid NOT NULL,
    take_unassigned boolean NOT NULL,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done')),
    found integer,
    moved integer NOT NULL DEFAULT 0,
    taken integer NOT NULL DEFAULT 0,
    failure text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES device (tenant_id, id)
);
CREATE INDEX reassignment_running ON reassignment (updated_at) WHERE state = 'running';
CREATE INDEX reassignment_device ON reassignment (tenant_id, device_id, id);
COMMENT ON TABLE reassignment IS 'Somebody else wore a device in a period than was recorded: the correction, and how far it has come. A job row: any process goes on with one that is running.';

CREATE TABLE reassignment_item (
    tenant_id uuid NOT NULL,
    reassignment_id uuid NOT NULL,
    observation_id text COLLATE "C" NOT NULL,
    assignment_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, reassignment_id, observation_id),
    FOREIGN KEY (tenant_id, reassignment_id) REFERENCES reassignment (tenant_id, id)
);
COMMENT ON COLUMN reassignment.found IS 'Observations that had to be moved; NULL until they are looked up, which is after the new assignments hold for everybody.';
COMMENT ON COLUMN reassignment.failure IS 'Why the last attempt did not get on; it is tried again.';
COMMENT ON TABLE reassignment_item IS 'Observations that a reassignment still has to move, with the assignment that gives the right person; deleted as they are moved.';

CREATE TABLE reading_correction (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    action text NOT NULL CHECK (action IN ('claim', 'release', 'take', 'discard', 'reassign')),
    reason text NOT NULL,
    token_id uuid,
    device_id uuid NOT NULL,
    held_reading_id uuid,
    reassignment_id uuid,
    old_observation text COLLATE "C",
    new_observation text COLLATE "C",
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX reading_correction_device ON reading_correction (tenant_id, device_id, id);
CREATE INDEX reading_correction_old ON reading_correction (tenant_id, old_observation) WHERE old_observation IS NOT NULL;
CREATE INDEX reading_correction_new ON reading_correction (tenant_id, new_observation) WHERE new_observation IS NOT NULL;
COMMENT ON TABLE reading_correction IS 'Append-only: who did what to a reading, when and why. token_id is NULL where the platform acted by itself.';

-- ---------------------------------------------------------------------------------------------------------------
-- Clocks
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE device_clock (
    tenant_id uuid NOT NULL,
    device_id uuid NOT NULL,
    offset_ms bigint NOT NULL,
    spread_ms bigint NOT NULL,
    samples integer NOT NULL CHECK (samples > 0),
    state text NOT NULL CHECK (state IN ('settling', 'steady', 'jumped', 'zone')),
    measured_at timestamptz NOT NULL,
    since timestamptz,
    applied_ms bigint,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, device_id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES device (tenant_id, id)
);
COMMENT ON TABLE device_clock IS 'How far each device''s clock is behind ours, measured on live readings; written when it changes, not with every uplink.';
COMMENT ON COLUMN device_clock.offset_ms IS 'Server time minus device time: what is added to the device''s time.';
COMMENT ON COLUMN device_clock.state IS 'settling: too few samples; steady; jumped: differs from what was steady and is being measured again; zone: whole quarters of an hour off, a wrong zone or a missed change of daylight saving.';
COMMENT ON COLUMN device_clock.since IS 'Of a zone: device time from which the offset holds; before a missed change of daylight saving the clock was right.';
COMMENT ON COLUMN device_clock.applied_ms IS 'The offset that readings are corrected by at present; NULL: none.';

DO $$
DECLARE
    t text;
    tenant_tables text[] := ARRAY['assignment_history', 'reassignment', 'reassignment_item', 'reading_correction', 'device_clock'];
BEGIN
    FOREACH t IN ARRAY tenant_tables LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_scope ON %I TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO afferent_worker USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO afferent_app', t);
    END LOOP;
END
$$;
-- assignment_history and reading_correction are append-only: nobody but the owner may change or delete their rows.
GRANT SELECT, INSERT ON assignment_history, reading_correction, reassignment_item TO afferent_worker;
GRANT SELECT, UPDATE ON reassignment TO afferent_worker;
GRANT DELETE ON reassignment_item TO afferent_worker;
GRANT SELECT, INSERT, UPDATE ON device_clock TO afferent_worker;
GRANT UPDATE ON device_clock TO afferent_app;
