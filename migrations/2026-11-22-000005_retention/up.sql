-- Retention and sealed raw bytes (docs/decisions/0015).
--
-- Raw bytes leave the passport row (uplink.body) for a table of their own, so that their retention is dropping a day's
-- partition. They are sealed by the server, with data keys that the server's own key seals: nothing here can be read
-- without it. Expand/contract: uplink.body stays, is no longer written, and is emptied by the server, which has the key
-- (SQL cannot seal). A server of the version before goes on working beside a new one meanwhile, and what it still writes
-- is moved too. A later migration drops the column.

-- ---------------------------------------------------------------------------------------------------------------
-- Data keys: outside tenant security (docs/decisions/0002); each is worthless without the server's key.
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE data_key (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
COMMENT ON TABLE data_key IS 'Keys that raw bytes are sealed with, each sealed by the server''s secret_key. The newest that is not retired seals; all of them open.';
COMMENT ON COLUMN data_key.retired_at IS 'Nothing new is sealed with it since then; a server that has not noticed yet may for a minute longer.';

-- ---------------------------------------------------------------------------------------------------------------
-- Raw bytes
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE uplink_body (
    tenant_id uuid NOT NULL,
    uplink_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    key_id integer NOT NULL,
    body bytea NOT NULL
) PARTITION BY RANGE (received_at);
-- Sealed bytes do not compress.
ALTER TABLE uplink_body ALTER COLUMN body SET STORAGE EXTERNAL;
-- The hot path pays for every index: a BRIN costs 0.1 µs a row where a btree costs 0.6 to 1.4. Rows arrive in the order of
-- received_at, so that the rare look-up (a replay) reads a quarter of a megabyte. No key and no foreign key: rows are
-- written once, in the transaction that writes the uplink.
CREATE INDEX uplink_body_received ON uplink_body USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);
COMMENT ON TABLE uplink_body IS 'The raw bytes of uplinks, sealed; partitioned by day of receipt, dropped by partition after the tenants'' retention.';
COMMENT ON COLUMN uplink_body.body IS 'Nonce (24 bytes) and XChaCha20-Poly1305 box under data_key key_id, bound to tenant and uplink.';

CREATE TABLE uplink_body_kept (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    uplink_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    key_id integer NOT NULL REFERENCES data_key (id),
    body bytea NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, uplink_id)
);
ALTER TABLE uplink_body_kept ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE uplink_body_kept IS 'Raw bytes that outlive their tenant''s retention, because a person has not settled what came of them yet.';

-- Empty once the old column is; an insert pays a comparison with NULL for each.
CREATE INDEX uplink_unsealed ON uplink (received_at) WHERE body IS NOT NULL;
CREATE INDEX uplink_incomplete ON uplink (tenant_id, received_at) WHERE outcome = 'incomplete';
COMMENT ON COLUMN uplink.body IS 'Empty: raw bytes are in uplink_body. What an older server wrote here is moved there, and the column goes with a later migration.';
COMMENT ON COLUMN uplink.outcome IS 'stored, duplicate, nothing, undecodable, incomplete, unassigned, held or quarantined; expired when frames that were missing never came.';

-- ---------------------------------------------------------------------------------------------------------------
-- What people decide, and what is closed when nobody does
-- ---------------------------------------------------------------------------------------------------------------

ALTER TABLE tenant
    ADD COLUMN uplink_retention_days smallint CHECK (uplink_retention_days BETWEEN 1 AND 365),
    ADD COLUMN bodies_swept_until timestamptz;
COMMENT ON COLUMN tenant.uplink_retention_days IS 'Days that raw bytes are kept; NULL: as the server''s configuration says.';
COMMENT ON COLUMN tenant.bodies_swept_until IS 'Where a tenant has a shorter retention than the longest: its raw bytes received before are deleted.';

-- One more state, whatever the states are by now.
DO $$
DECLARE
    t text;
    old text;
BEGIN
    FOREACH t IN ARRAY ARRAY['quarantine', 'held_reading'] LOOP
        SELECT pg_get_expr(conbin, conrelid) INTO STRICT old FROM pg_constraint
            WHERE conrelid = t::regclass AND conname = t || '_state_check';
        IF old NOT LIKE '%expired%' THEN
            EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', t, t || '_state_check');
            EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK ((%s) OR state = ''expired'')', t, t || '_state_check', old);
        END IF;
    END LOOP;
END
$$;
COMMENT ON COLUMN quarantine.state IS 'open; settled by a replay; expired when nobody settled it in time: its bytes are gone then.';

-- ---------------------------------------------------------------------------------------------------------------
-- Partitions
-- ---------------------------------------------------------------------------------------------------------------

-- Made apart and attached: CREATE TABLE … PARTITION OF locks the parent against readers and writers, and whoever waits
-- behind a long reader (a dump) blocks all ingest. ATTACH lets both go on.
CREATE OR REPLACE FUNCTION ensure_partitions(days_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s'
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
    FOREACH parent IN ARRAY ARRAY['uplink', 'uplink_body', 'delivery_log'] LOOP
        FOR offset_days IN -1 .. days_ahead LOOP
            day := (now() AT TIME ZONE 'UTC')::date + offset_days;
            name := parent || '_' || to_char(day, 'YYYYMMDD');
            IF to_regclass('public.' || name) IS NULL THEN
                PERFORM attach_partition(parent, day);
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION ensure_partitions(integer) IS 'Makes daily partitions from yesterday to days_ahead (UTC); answers how many were made. Partitions have no policy of their own: they are reached through their parent only.';

CREATE FUNCTION attach_partition(parent text, day date) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    name text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)', name, parent);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name,
        day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END
$$;
COMMENT ON FUNCTION attach_partition(text, date) IS 'One day''s partition, empty; called by the owner only.';
REVOKE ALL ON FUNCTION attach_partition(text, date) FROM PUBLIC;

-- The days that uplink has already: what is moved needs them.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'uplink'::regclass AND c.relname ~ '^uplink_\d{8}$'
    LOOP
        PERFORM attach_partition('uplink_body', to_date(right(name, 8), 'YYYYMMDD'));
    END LOOP;
END
$$;

-- Drops one day. DROP takes the parent's ACCESS EXCLUSIVE lock; the caller sets a short lock_timeout and comes again.
CREATE FUNCTION drop_partition(parent text, day date, keep_days integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    least_days integer;
    name text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
    least_days := CASE parent
        WHEN 'uplink_body' THEN greatest(1, (SELECT max(uplink_retention_days) FROM tenant))
        WHEN 'uplink' THEN 366
        WHEN 'delivery_log' THEN 7
    END;
    IF least_days IS NULL THEN
        RAISE EXCEPTION 'partitions of % are not dropped', parent;
    END IF;
    IF keep_days IS NULL OR keep_days < least_days THEN
        RAISE EXCEPTION '% is kept for % days at least, not %', parent, least_days, keep_days;
    END IF;
    IF day IS NULL OR ((day + 1)::timestamp AT TIME ZONE 'UTC') > now() - make_interval(days => keep_days) THEN
        RAISE EXCEPTION 'partition % of % is not % days old yet', day, parent, keep_days;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                   WHERE i.inhparent = ('public.' || parent)::regclass AND c.relname = name) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %I', name);
    RETURN true;
END
$$;
COMMENT ON FUNCTION drop_partition(text, date, integer) IS 'Drops the partition of a day that is over for keep_days or longer; refuses anything younger, and a keep_days below the table''s least.';

REVOKE ALL ON FUNCTION drop_partition(text, date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_partition(text, date, integer) TO afferent_worker;

SELECT ensure_partitions(7);

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security and grants
-- ---------------------------------------------------------------------------------------------------------------

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['uplink_body', 'uplink_body_kept'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_scope ON %I TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO afferent_worker USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO afferent_app', t);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I TO afferent_worker', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE (sealed, retired_at) ON data_key TO afferent_worker;
GRANT UPDATE (bodies_swept_until) ON tenant TO afferent_worker;
