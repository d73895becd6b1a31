-- Decoding again: replays of a tenant's uplinks with corrections, shadow replays of a decoder version over everything that
-- is retained, and the memory of records whose key is another one now (docs/decisions/0026).

-- ---------------------------------------------------------------------------------------------------------------
-- What a replay has to know of an Observation
-- ---------------------------------------------------------------------------------------------------------------

ALTER TABLE observation ADD COLUMN edited_at timestamptz;
COMMENT ON COLUMN observation.edited_at IS 'When a FHIR client wrote it last; NULL for what only devices brought. A replay does not overwrite what a person changed.';
-- A page of a replay asks for the Observations of uplinks that were received near each other. A BRIN costs an insert next to
-- nothing (docs/decisions/0015), a btree over uplinks would cost every reading.
CREATE INDEX observation_received ON observation USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);

ALTER TABLE held_reading ADD COLUMN identity_key text COLLATE "C";
COMMENT ON COLUMN held_reading.identity_key IS 'Of an alias: the key under which the record is stored, and that identifiers are made with; reading_key is the one under which it comes now.';
ALTER TABLE held_reading DROP CONSTRAINT held_reading_state_check;
ALTER TABLE held_reading ADD CONSTRAINT held_reading_state_check
    CHECK (state IN ('open', 'claimed', 'released', 'taken', 'discarded', 'expired', 'corrected', 'alias'));
ALTER TABLE held_reading ADD CONSTRAINT held_reading_alias CHECK ((state = 'alias') = (identity_key IS NOT NULL));
COMMENT ON COLUMN held_reading.state IS 'open; claimed, released (a person decided), taken (it came again, or was taken in, when its wearer was known); discarded (never a result, kept as evidence); expired (nobody decided in time, its bytes are gone; it opens again when it comes again); corrected (a replay read its bytes in another way: what it held is not what they say); alias (no reading, but the memory that a record comes under another key now).';

ALTER TABLE reading_correction ADD COLUMN replay_id uuid;
ALTER TABLE reading_correction DROP CONSTRAINT reading_correction_action_check;
ALTER TABLE reading_correction ADD CONSTRAINT reading_correction_action_check
    CHECK (action IN ('claim', 'release', 'take', 'discard', 'reassign', 'replay'));

-- ---------------------------------------------------------------------------------------------------------------
-- Replays
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE replay (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    scope jsonb NOT NULL,
    dry_run boolean NOT NULL,
    reason text NOT NULL,
    token_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'cancelled', 'done')),
    total bigint,
    position uuid,
    counts jsonb NOT NULL DEFAULT '{}',
    items bigint NOT NULL DEFAULT 0,
    worker uuid,
    lease_until timestamptz,
    failure text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX replay_running ON replay (updated_at) WHERE state = 'running';
COMMENT ON TABLE replay IS 'Uplinks that are decoded again, and how far that has come. A job row: one process works on it at a time, any process goes on after a crash.';
COMMENT ON COLUMN replay.scope IS 'Which uplinks, and with which decoder, as it was asked for.';
COMMENT ON COLUMN replay.position IS 'The last uplink that is done, in the order of ids; written in the transaction that does it, so that nothing is done twice.';
COMMENT ON COLUMN replay.items IS 'Rows of replay_item; beyond the limit only counts are kept.';
COMMENT ON COLUMN replay.worker IS 'The process that is at it, until lease_until.';

CREATE TABLE replay_item (
    tenant_id uuid NOT NULL,
    replay_id uuid NOT NULL,
    id uuid NOT NULL,
    uplink_id uuid NOT NULL,
    action text NOT NULL,
    reason text,
    kind text,
    observation_id text COLLATE "C",
    changes jsonb,
    PRIMARY KEY (tenant_id, replay_id, id),
    FOREIGN KEY (tenant_id, replay_id) REFERENCES replay (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE replay_item IS 'What a replay did, or a dry run would do, to one reading or uplink. What stays the same is only counted.';
COMMENT ON COLUMN replay_item.changes IS 'Fields of the Observation before and after: clinical data, shown to roles that may see patients.';

-- ---------------------------------------------------------------------------------------------------------------
-- Shadow replays: of the platform, over all tenants; a report names uplinks and tenants, never a person
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE shadow_replay (
    id uuid PRIMARY KEY,
    decoder_name text NOT NULL,
    decoder_version text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('replay', 'live')),
    scope jsonb NOT NULL,
    token_id uuid,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'cancelled', 'done')),
    total bigint,
    position_tenant uuid,
    position uuid,
    report jsonb NOT NULL,
    record_keys text CHECK (record_keys IN ('remap', 'accept')),
    record_keys_reason text,
    worker uuid,
    lease_until timestamptz,
    failure text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX shadow_replay_running ON shadow_replay (updated_at) WHERE state = 'running';
CREATE INDEX shadow_replay_decoder ON shadow_replay (decoder_name, decoder_version, id);
COMMENT ON TABLE shadow_replay IS 'A decoder version beside the one that serves, over retained uplinks (replay) or beside live ones (live), and what differs.';
COMMENT ON COLUMN shadow_replay.record_keys IS 'What a platform admin decided about changed record keys: remap (records are known under both keys from the activation on) or accept (what is sent again is new). NULL: nothing; changed keys block the activation.';

CREATE TABLE shadow_key (
    tenant_id uuid NOT NULL,
    shadow_id uuid NOT NULL,
    device_id uuid NOT NULL,
    new_key text COLLATE "C" NOT NULL,
    old_key text COLLATE "C" NOT NULL,
    uplink_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    kind text NOT NULL,
    measured_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, shadow_id, device_id, new_key)
);
CREATE INDEX shadow_key_shadow ON shadow_key (shadow_id);
COMMENT ON TABLE shadow_key IS 'Hashes of record keys that a decoder version derives in another way: the key so far and the key to come. They become aliases when it is activated with recordKeys = remap.';

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['replay', 'replay_item', 'shadow_key'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_scope ON %I TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO afferent_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON replay TO afferent_app;
GRANT SELECT ON replay_item, shadow_key TO afferent_app;
GRANT SELECT, UPDATE ON replay TO afferent_worker;
GRANT SELECT, INSERT ON replay_item TO afferent_worker;
GRANT SELECT, INSERT, DELETE ON shadow_key TO afferent_worker;
GRANT SELECT, INSERT, UPDATE ON shadow_replay TO afferent_app, afferent_worker;
