-- The foundation: tenant tree, fleet, FHIR store, ingest, forwarding.
--
-- Rules that every later migration keeps (docs/decisions/0001 and 0002):
--   * tenant_id leads every key of a tenant table, and every tenant table has forced row-level security;
--   * index columns use only types whose operators are leakproof (uuid, text, timestamptz, float8, bigint);
--   * FHIR ids are text COLLATE "C", our own ids UUIDv7 made by the server;
--   * runs as afferent_owner; afferent_app and afferent_worker own nothing.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- The tenants that the running transaction may see. Unset or empty: none at all.
CREATE FUNCTION scoped_tenants() RETURNS uuid[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('afferent.tenants', true), '')::uuid[];
COMMENT ON FUNCTION scoped_tenants() IS 'Tenants of the running transaction, from the transaction-local setting afferent.tenants; NULL when unset, which matches no row.';

-- ---------------------------------------------------------------------------------------------------------------
-- Outside tenant security, and listed in docs/decisions/0002: what is needed before a tenant is known.
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id uuid NOT NULL,
    database_identity text NOT NULL,
    forwarding_paused boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE installation IS 'One row, made once: who this installation is to the outside.';
COMMENT ON COLUMN installation.id IS 'Namespace of every stable identifier that leaves: urn:uuid: and this.';
COMMENT ON COLUMN installation.database_identity IS 'Cluster and database the row was made in; another one means a restored or cloned installation, and forwarding starts paused.';

CREATE TABLE tenant (
    id uuid PRIMARY KEY,
    parent_id uuid REFERENCES tenant (id),
    kind text NOT NULL CHECK (kind IN ('distributor', 'customer')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    time_zone text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (kind = 'customer' OR parent_id IS NULL)
);
CREATE INDEX tenant_parent ON tenant (parent_id, id);
COMMENT ON TABLE tenant IS 'The tenant tree: distributors, and customers below a distributor or directly below the platform.';
COMMENT ON COLUMN tenant.time_zone IS 'IANA name; the zone of last resort for a device''s local time.';

CREATE TABLE api_token (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('platform-admin', 'distributor-admin', 'distributor-user', 'customer-admin', 'customer-user', 'practitioner')),
    tenant_id uuid REFERENCES tenant (id),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    CHECK ((role = 'platform-admin') = (tenant_id IS NULL))
);
COMMENT ON TABLE api_token IS 'Bearer tokens of scripts and systems. Only a SHA-256 of the token''s 256 random bits is kept.';

CREATE TABLE source_credential (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    source_kind text NOT NULL CHECK (source_kind IN ('device', 'hub')),
    source_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX source_credential_source ON source_credential (tenant_id, source_id);
COMMENT ON TABLE source_credential IS 'Tokens with which devices and hubs send. The tenant follows from the token, therefore the table is read before a tenant is known.';

CREATE TABLE decoder (
    name text NOT NULL,
    version text NOT NULL,
    content_hash text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('bundled', 'directory')),
    vendor text NOT NULL,
    license text NOT NULL,
    description text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE decoder IS 'Every decoder version that this installation has ever loaded.';

CREATE TABLE device_model (
    name text PRIMARY KEY,
    title text NOT NULL,
    decoder_name text NOT NULL,
    decoder_version text NOT NULL,
    channels text[] NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (decoder_name, decoder_version) REFERENCES decoder (name, version)
);
COMMENT ON TABLE device_model IS 'Models of devices and the decoder version that each is bound to.';
COMMENT ON COLUMN device_model.channels IS 'Channels the decoder understands for this model; empty means any.';

CREATE TABLE device_unit (
    id uuid PRIMARY KEY,
    model text NOT NULL REFERENCES device_model (name),
    serial text NOT NULL CHECK (length(serial) BETWEEN 1 AND 128),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model, serial)
);
COMMENT ON TABLE device_unit IS 'One row a physical thing, whichever tenant has it now.';

CREATE TABLE identifier_system (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uri text COLLATE "C" NOT NULL UNIQUE
);
COMMENT ON TABLE identifier_system IS 'Interned Identifier.system URIs. Row 1 is the empty system; URIs carry no patient data.';
INSERT INTO identifier_system (uri) VALUES ('');

CREATE TABLE concept (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE
);
COMMENT ON TABLE concept IS 'Interned sets of codings. Free text of a CodeableConcept is never interned: it may be about a person.';
COMMENT ON COLUMN concept.digest IS 'SHA-256 over the sorted (system, code) pairs, length-prefixed.';

CREATE TABLE concept_coding (
    concept_id bigint NOT NULL REFERENCES concept (id),
    system text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    PRIMARY KEY (concept_id, system, code)
);
CREATE INDEX concept_coding_code ON concept_coding (code, system, concept_id);
COMMENT ON TABLE concept_coding IS 'The codings of a concept: a token search resolves to concept ids here, then uses = ANY on the resource.';

-- ---------------------------------------------------------------------------------------------------------------
-- Fleet
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE device (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    id uuid NOT NULL,
    unit_id uuid NOT NULL REFERENCES device_unit (id),
    model text NOT NULL REFERENCES device_model (name),
    serial text NOT NULL,
    identifiers jsonb NOT NULL DEFAULT '[]',
    variables_sealed bytea,
    variables_version integer NOT NULL DEFAULT 1,
    time_zone text,
    active boolean NOT NULL,
    enrolled_from timestamptz NOT NULL DEFAULT now(),
    enrolled_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT device_enrolment_overlap EXCLUDE USING gist (unit_id WITH =, tstzrange(enrolled_from, enrolled_until) WITH &&)
);
CREATE UNIQUE INDEX device_id ON device (id);
COMMENT ON TABLE device IS 'The enrolment of a unit with one tenant for a period. Its FHIR Device has the same id.';
COMMENT ON COLUMN device.variables_sealed IS 'The decoder''s variables (bind keys …), sealed by the server''s key; JSON object of strings inside.';

CREATE TABLE hub (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    id uuid NOT NULL,
    model text NOT NULL,
    serial text NOT NULL CHECK (length(serial) BETWEEN 1 AND 128),
    name text NOT NULL,
    time_zone text,
    active boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, model, serial)
);
COMMENT ON TABLE hub IS 'A gateway that carries many devices.';

CREATE TABLE hub_device (
    tenant_id uuid NOT NULL,
    hub_id uuid NOT NULL,
    device_id uuid NOT NULL,
    address text,
    paired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, hub_id, device_id),
    FOREIGN KEY (tenant_id, hub_id) REFERENCES hub (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, device_id) REFERENCES device (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX hub_device_address ON hub_device (tenant_id, hub_id, address) WHERE address IS NOT NULL;
COMMENT ON TABLE hub_device IS 'Which devices a hub may speak for, and under which address.';

CREATE TABLE activation (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    id uuid NOT NULL,
    source_kind text NOT NULL CHECK (source_kind IN ('device', 'hub')),
    source_id uuid NOT NULL,
    active_from timestamptz NOT NULL,
    active_until timestamptz CHECK (active_until >= active_from),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT activation_overlap EXCLUDE USING gist (tenant_id WITH =, source_id WITH =, tstzrange(active_from, active_until) WITH &&)
);
COMMENT ON TABLE activation IS 'Periods in which a device or hub was active, from the first day: billing rests on them.';

CREATE TABLE assignment (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    device_id uuid NOT NULL,
    slot text NOT NULL DEFAULT '',
    patient_id text COLLATE "C" NOT NULL,
    worn_from timestamptz NOT NULL,
    worn_until timestamptz CHECK (worn_until > worn_from),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES device (tenant_id, id),
    CONSTRAINT assignment_overlap EXCLUDE USING gist (tenant_id WITH =, device_id WITH =, slot WITH =, tstzrange(worn_from, worn_until) WITH &&)
);
CREATE INDEX assignment_device ON assignment (tenant_id, device_id, worn_from DESC);
CREATE INDEX assignment_patient ON assignment (tenant_id, patient_id, worn_from DESC);
COMMENT ON TABLE assignment IS 'Who wore a device when: half-open periods that cannot overlap for one device and slot.';
COMMENT ON COLUMN assignment.slot IS 'User slot of a shared device; empty is the device''s only wearer.';

-- ---------------------------------------------------------------------------------------------------------------
-- FHIR store
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE resource (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    type text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL CHECK (id ~ '^[A-Za-z0-9.-]{1,64}$'),
    version integer NOT NULL,
    last_updated timestamptz NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    body text COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (tenant_id, type, id)
);
CREATE INDEX resource_last_updated ON resource (tenant_id, type, last_updated, id);
COMMENT ON TABLE resource IS 'Current version of every resource but Observation; body is the exact JSON text that is served.';

CREATE TABLE resource_version (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    type text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    last_updated timestamptz NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    body text COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (tenant_id, type, id, version)
);
COMMENT ON TABLE resource_version IS 'Superseded versions, Observation included.';

CREATE TABLE resource_token (
    tenant_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    parameter text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    system text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, type, parameter, value, system, id),
    FOREIGN KEY (tenant_id, type, id) REFERENCES resource (tenant_id, type, id) ON DELETE CASCADE
);
CREATE INDEX resource_token_resource ON resource_token (tenant_id, type, id);
COMMENT ON TABLE resource_token IS 'Token search index; system is empty where the value has none.';

CREATE TABLE resource_string (
    tenant_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    parameter text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    exact text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, type, parameter, value, exact, id),
    FOREIGN KEY (tenant_id, type, id) REFERENCES resource (tenant_id, type, id) ON DELETE CASCADE
);
CREATE INDEX resource_string_resource ON resource_string (tenant_id, type, id);
COMMENT ON TABLE resource_string IS 'String search index: value is folded (lower case, no diacritics) for prefix search, exact is as written.';

CREATE TABLE resource_date (
    tenant_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    parameter text COLLATE "C" NOT NULL,
    low timestamptz NOT NULL,
    high timestamptz NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, type, parameter, low, high, id),
    FOREIGN KEY (tenant_id, type, id) REFERENCES resource (tenant_id, type, id) ON DELETE CASCADE
);
CREATE INDEX resource_date_resource ON resource_date (tenant_id, type, id);
COMMENT ON TABLE resource_date IS 'Date search index: the half-open range [low, high) that the value covers.';

CREATE TABLE resource_reference (
    tenant_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    parameter text COLLATE "C" NOT NULL,
    target_type text COLLATE "C" NOT NULL,
    target_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, type, parameter, target_id, target_type, id),
    FOREIGN KEY (tenant_id, type, id) REFERENCES resource (tenant_id, type, id) ON DELETE CASCADE
);
CREATE INDEX resource_reference_resource ON resource_reference (tenant_id, type, id);
COMMENT ON TABLE resource_reference IS 'Reference search index; an absolute URL has the empty type and the URL as target_id.';

CREATE TABLE observation (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    id text COLLATE "C" NOT NULL CHECK (id ~ '^[A-Za-z0-9.-]{1,64}$'),
    version integer NOT NULL,
    last_updated timestamptz NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    identifier_system bigint REFERENCES identifier_system (id),
    identifier_value text COLLATE "C",
    status text COLLATE "C" NOT NULL,
    code_id bigint REFERENCES concept (id),
    category_ids bigint[] NOT NULL DEFAULT '{}',
    patient_id text COLLATE "C",
    subject_type text COLLATE "C",
    subject_id text COLLATE "C",
    device_id text COLLATE "C",
    effective_low timestamptz,
    effective_high timestamptz,
    value_number double precision,
    value_unit text COLLATE "C",
    counted boolean NOT NULL DEFAULT true,
    -- provenance of a reading; all NULL for a resource that a client wrote
    uplink_id uuid,
    received_at timestamptz,
    assignment_id uuid,
    content_hash bytea,
    decoder_name text,
    decoder_version text,
    body text COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK ((identifier_system IS NULL) = (identifier_value IS NULL))
);
CREATE UNIQUE INDEX observation_identifier ON observation (tenant_id, identifier_value, identifier_system);
CREATE INDEX observation_patient_code ON observation (tenant_id, patient_id, code_id, effective_low DESC) WHERE patient_id IS NOT NULL;
CREATE INDEX observation_last_updated ON observation (tenant_id, last_updated, id);
COMMENT ON TABLE observation IS 'Observations, unpartitioned: both (tenant, id) and (tenant, identifier) must be unique over all time.';
COMMENT ON COLUMN observation.identifier_value IS 'The identifier that conditional creates and readings rest on; further ones are in observation_identifier_more.';
COMMENT ON COLUMN observation.effective_high IS 'Exclusive end of the range that the effective time covers at its precision.';
COMMENT ON COLUMN observation.counted IS 'Whether $lastn, alerts and billing count it (fhir-profiles/dispositions.json).';

CREATE TABLE observation_identifier_more (
    tenant_id uuid NOT NULL,
    value text COLLATE "C" NOT NULL,
    system text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, value, system, id),
    FOREIGN KEY (tenant_id, id) REFERENCES observation (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE observation_identifier_more IS 'Second and further identifiers of an Observation, and first ones that are not unique.';

-- ---------------------------------------------------------------------------------------------------------------
-- Ingest
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE uplink (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    source_kind text NOT NULL,
    source_id uuid NOT NULL,
    device_id uuid,
    channel text NOT NULL DEFAULT '',
    content_type text NOT NULL,
    captured_at timestamptz,
    body bytea COMPRESSION lz4,
    body_hash bytea NOT NULL,
    body_size integer NOT NULL,
    outcome text NOT NULL,
    reason text,
    decoder_name text,
    decoder_version text,
    warnings text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX uplink_device ON uplink (tenant_id, device_id, received_at DESC);
COMMENT ON TABLE uplink IS 'What was received, unaltered, with the facts of its receipt; partitioned by the server''s receipt time, never by device time.';
COMMENT ON COLUMN uplink.body IS 'The raw bytes; dropped after the tenant''s retention, hash and size stay.';
COMMENT ON COLUMN uplink.outcome IS 'stored, duplicate, nothing, undecodable, incomplete, unassigned, held or quarantined.';

CREATE TABLE ingest_key (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    source_id uuid NOT NULL,
    key bytea NOT NULL,
    uplink_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    answer jsonb NOT NULL,
    PRIMARY KEY (tenant_id, source_id, key)
);
CREATE INDEX ingest_key_expiry ON ingest_key (expires_at);
COMMENT ON TABLE ingest_key IS 'Transport keys: hashes of Idempotency-Keys, and of payloads without time or sequence within the model''s repeat window.';
COMMENT ON COLUMN ingest_key.answer IS 'The first answer, given again to the same key.';

CREATE TABLE quarantine (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    uplink_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    device_id uuid,
    reason text NOT NULL,
    detail text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'settled')),
    attempts integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, uplink_id)
);
CREATE INDEX quarantine_open ON quarantine (tenant_id, state, received_at DESC);
COMMENT ON TABLE quarantine IS 'Uplinks that could not be decoded; the raw bytes stay with the uplink until the item is settled.';

CREATE TABLE held_reading (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    id uuid NOT NULL,
    reading_key text COLLATE "C" NOT NULL,
    uplink_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    device_id uuid NOT NULL,
    kind text NOT NULL,
    slot text NOT NULL DEFAULT '',
    measured_at timestamptz NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'released', 'discarded')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, device_id, reading_key)
);
CREATE INDEX held_reading_open ON held_reading (tenant_id, state, received_at DESC);
COMMENT ON TABLE held_reading IS 'Readings that wait for a person: nobody wore the device then, or the value is outside the hard range. Decoded again from the uplink when released.';

-- ---------------------------------------------------------------------------------------------------------------
-- Forwarding
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE endpoint (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind text NOT NULL CHECK (kind IN ('fhir')),
    url text NOT NULL,
    auth_kind text NOT NULL CHECK (auth_kind IN ('none', 'bearer')),
    auth_sealed bytea,
    active boolean NOT NULL DEFAULT true,
    -- filter: empty means everything
    filter_codes text[] NOT NULL DEFAULT '{}',
    filter_code_ids bigint[] NOT NULL DEFAULT '{}',
    filter_patients text[] NOT NULL DEFAULT '{}',
    patient_identifier_system text,
    create_patients boolean NOT NULL DEFAULT false,
    -- circuit breaker
    failures integer NOT NULL DEFAULT 0,
    closed_until timestamptz,
    last_error text,
    last_success_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE endpoint IS 'A customer''s EHR: where Observations go, which, and how the patient is named over there.';
COMMENT ON COLUMN endpoint.filter_codes IS 'Tokens system|code as the customer wrote them.';
COMMENT ON COLUMN endpoint.filter_code_ids IS 'Concept ids that those tokens resolve to; refreshed when new concepts are interned.';
COMMENT ON COLUMN endpoint.patient_identifier_system IS 'Which of the Patient''s identifiers the EHR knows; NULL: the first one.';
COMMENT ON COLUMN endpoint.closed_until IS 'The circuit breaker is open until then: no request is sent.';

CREATE TABLE endpoint_patient (
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    identifier_system text NOT NULL,
    identifier_value text NOT NULL,
    PRIMARY KEY (tenant_id, endpoint_id, patient_id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES endpoint (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE endpoint_patient IS 'How one patient is named at one endpoint, where it differs from the Patient''s own identifiers.';

CREATE TABLE delivery (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    resource_type text COLLATE "C" NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    lane smallint NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    ambiguous boolean NOT NULL DEFAULT false,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_status integer,
    last_reason text,
    last_outcome text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, endpoint_id, resource_type, resource_id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES endpoint (tenant_id, id)
);
CREATE INDEX delivery_due ON delivery (endpoint_id, lane, next_attempt_at) WHERE state = 'pending';
CREATE INDEX delivery_list ON delivery (tenant_id, endpoint_id, state, id);
COMMENT ON TABLE delivery IS 'What still has to reach an endpoint: one row an endpoint and resource, born in the ingest transaction, deleted when done. A newer version raises version, so that stale ones merge.';
COMMENT ON COLUMN delivery.lane IS 'Hash of the patient: order is kept within a lane, and a lane has at most one request in flight.';
COMMENT ON COLUMN delivery.ambiguous IS 'An earlier attempt may have been stored over there: search before the next create.';

CREATE TABLE delivery_log (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    finished_at timestamptz NOT NULL,
    endpoint_id uuid NOT NULL,
    resource_type text COLLATE "C" NOT NULL,
    resource_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('delivered', 'cancelled')),
    location text,
    PRIMARY KEY (tenant_id, id, finished_at)
) PARTITION BY RANGE (finished_at);
CREATE INDEX delivery_log_endpoint ON delivery_log (tenant_id, endpoint_id, finished_at DESC);
COMMENT ON TABLE delivery_log IS 'Finished deliveries, partitioned by day.';

CREATE TABLE lane_lease (
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    lane smallint NOT NULL,
    token bigint NOT NULL,
    holder uuid NOT NULL,
    leased_until timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, endpoint_id, lane),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES endpoint (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE lane_lease IS 'Who may send on a lane until when; token is the fence: a holder whose token is no longer the row''s writes nothing.';

-- ---------------------------------------------------------------------------------------------------------------
-- Partitions: made days ahead by a function of the owner, so that the worker needs no right to create tables.
-- ---------------------------------------------------------------------------------------------------------------

CREATE FUNCTION ensure_partitions(days_ahead integer) RETURNS integer
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
COMMENT ON FUNCTION ensure_partitions(integer) IS 'Makes daily partitions from yesterday to days_ahead (UTC); answers how many were made. Partitions have no policy of their own: they are reached through their parent only.';

SELECT ensure_partitions(7);

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security and grants
-- ---------------------------------------------------------------------------------------------------------------

DO $$
DECLARE
    t text;
    tenant_tables text[] := ARRAY[
        'device', 'hub', 'hub_device', 'activation', 'assignment',
        'resource', 'resource_version', 'resource_token', 'resource_string', 'resource_date', 'resource_reference',
        'observation', 'observation_identifier_more',
        'uplink', 'ingest_key', 'quarantine', 'held_reading',
        'endpoint', 'endpoint_patient', 'delivery', 'delivery_log', 'lane_lease'];
    -- What the group commit and the forwarder touch across tenants.
    worker_tables text[] := ARRAY[
        'device', 'activation', 'assignment', 'resource', 'resource_token', 'resource_version',
        'observation', 'observation_identifier_more', 'uplink', 'ingest_key', 'quarantine', 'held_reading',
        'endpoint', 'endpoint_patient', 'delivery', 'delivery_log', 'lane_lease'];
BEGIN
    FOREACH t IN ARRAY tenant_tables LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_scope ON %I TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()))', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO afferent_app', t);
    END LOOP;
    FOREACH t IN ARRAY worker_tables LOOP
        EXECUTE format('CREATE POLICY worker ON %I TO afferent_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
END
$$;

-- The app reads and writes what lies outside tenant security through named code paths only.
GRANT SELECT, INSERT, UPDATE ON tenant, api_token, source_credential, device_unit TO afferent_app;
GRANT SELECT, INSERT ON identifier_system, concept, concept_coding TO afferent_app, afferent_worker;
GRANT SELECT, INSERT, UPDATE ON decoder, device_model, installation TO afferent_app;
GRANT SELECT ON decoder, device_model, installation TO afferent_worker;
GRANT SELECT ON tenant, source_credential TO afferent_worker;

GRANT SELECT ON device, activation, assignment, resource, resource_token, resource_version, observation_identifier_more, endpoint_patient TO afferent_worker;
GRANT SELECT, INSERT, UPDATE ON observation, uplink, quarantine, held_reading TO afferent_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest_key, delivery, lane_lease TO afferent_worker;
GRANT SELECT, INSERT ON delivery_log TO afferent_worker;
GRANT SELECT ON endpoint TO afferent_worker;
GRANT UPDATE (failures, closed_until, last_error, last_success_at, filter_code_ids) ON endpoint TO afferent_worker;

REVOKE ALL ON FUNCTION ensure_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(integer) TO afferent_worker;
