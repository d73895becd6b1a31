-- Phone apps: an installation is a source of its own that relays many devices (docs/decisions/0021). It goes the way of a
-- hub: a row of hub with its own kind, and this table says what only a phone has.

ALTER TABLE hub DROP CONSTRAINT hub_kind_check;
ALTER TABLE hub ADD CONSTRAINT hub_kind_check CHECK (kind IN ('hub', 'feed', 'app'));
COMMENT ON TABLE hub IS 'What carries many devices: a gateway, a vendor''s cloud (feed), or the installation of a phone app (app).';
COMMENT ON COLUMN hub.kind IS 'hub: a gateway with tokens of its own; feed: a vendor''s cloud, see the table feed; app: a phone, see the table app_installation.';

ALTER TABLE source_credential DROP CONSTRAINT source_credential_source_kind_check;
ALTER TABLE source_credential ADD CONSTRAINT source_credential_source_kind_check CHECK (source_kind IN ('device', 'hub', 'app'));

ALTER TABLE activation DROP CONSTRAINT activation_source_kind_check;
ALTER TABLE activation ADD CONSTRAINT activation_source_kind_check CHECK (source_kind IN ('device', 'hub', 'feed', 'app'));
COMMENT ON TABLE activation IS 'Periods in which a device, hub, feed or app was active, from the first day: billing rests on them.';

CREATE TABLE app_installation (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    app_name text,
    app_version text,
    platform text,
    patient_id text COLLATE "C",
    last_seen_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, id) REFERENCES hub (tenant_id, id)
);
COMMENT ON TABLE app_installation IS 'An app on one phone. Its name, zone, activity and devices are those of its row in hub.';
COMMENT ON COLUMN app_installation.app_name IS 'What the app says it is.';
COMMENT ON COLUMN app_installation.patient_id IS 'Whose phone it is, as staff noted it. Never decides whose a reading is: assignments of devices do.';
COMMENT ON COLUMN app_installation.last_seen_at IS 'When it last showed its token, to the minute.';
COMMENT ON COLUMN app_installation.revoked_at IS 'When it was cut off for good.';

CREATE TABLE app_pairing (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    code_hash bytea,
    name text,
    patient_id text COLLATE "C",
    time_zone text,
    token_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    redeemed_at timestamptz,
    installation_id uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, installation_id) REFERENCES app_installation (tenant_id, id),
    CHECK ((redeemed_at IS NULL) = (installation_id IS NULL))
);
CREATE UNIQUE INDEX app_pairing_code ON app_pairing (code_hash);
COMMENT ON TABLE app_pairing IS 'Codes by which a phone becomes an installation: short-lived, for one phone, made by staff.';
COMMENT ON COLUMN app_pairing.code_hash IS 'HMAC-SHA-256 of the code under the server''s key; gone when the code is used or cancelled.';
COMMENT ON COLUMN app_pairing.token_id IS 'Who made it.';

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['app_installation', 'app_pairing'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_scope ON %I TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()))', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO afferent_app', t);
    END LOOP;
END
$$;
-- A phone shows its code before the tenant is known.
CREATE POLICY worker ON app_pairing FOR SELECT TO afferent_worker USING (true);
GRANT SELECT ON app_pairing TO afferent_worker;
