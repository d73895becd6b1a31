-- MQTT brokers that devices and hubs publish to, and who holds which session there (docs/decisions/0019).

CREATE TABLE mqtt_connection (
    tenant_id uuid NOT NULL REFERENCES tenant (id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    url text NOT NULL,
    protocol text NOT NULL CHECK (protocol IN ('3.1.1', '5')),
    ca_certificates text,
    client_id text NOT NULL,
    share_group text NOT NULL,
    user_name text,
    password_sealed bytea,
    topics jsonb NOT NULL,
    sessions smallint NOT NULL CHECK (sessions BETWEEN 1 AND 16),
    in_flight integer NOT NULL CHECK (in_flight BETWEEN 1 AND 1000),
    include_customers boolean NOT NULL,
    active boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE mqtt_connection IS 'A broker that Afferent subscribes at, for the devices and hubs of one tenant.';
COMMENT ON COLUMN mqtt_connection.topics IS 'Templates of topics, and what they mean: [{topic, channel}].';
COMMENT ON COLUMN mqtt_connection.sessions IS 'Persistent sessions at the broker; several share their subscriptions. Never fewer than before: what a session has is delivered to it alone.';
COMMENT ON COLUMN mqtt_connection.include_customers IS 'A distributor''s connection: whether it also carries devices and hubs of its customers.';

CREATE TABLE mqtt_session (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    number smallint NOT NULL,
    filters text[] NOT NULL DEFAULT '{}',
    holder uuid,
    leased_until timestamptz,
    state text NOT NULL DEFAULT 'idle' CHECK (state IN ('idle', 'connecting', 'connected')),
    connected_since timestamptz,
    last_error text,
    last_error_at timestamptz,
    last_refusal text,
    last_refusal_at timestamptz,
    received bigint NOT NULL DEFAULT 0,
    acknowledged bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, connection_id, number),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES mqtt_connection (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE mqtt_session IS 'A persistent session at a broker: which process holds it until when, and how it is doing.';
COMMENT ON COLUMN mqtt_session.filters IS 'What the session has subscribed to at the broker, which remembers it: what is no longer wanted has to be unsubscribed.';

CREATE TABLE mqtt_process (
    id uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE mqtt_process IS 'Server processes that take sessions, so that each takes its share only. Outside tenant security: it says nothing of anybody.';

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['mqtt_connection', 'mqtt_session'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_scope ON %I TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO afferent_worker USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO afferent_app', t);
    END LOOP;
END
$$;
GRANT SELECT ON mqtt_connection TO afferent_worker;
GRANT SELECT, UPDATE ON mqtt_session TO afferent_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON mqtt_process TO afferent_worker;
