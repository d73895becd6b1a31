-- Feeds of vendor clouds: one credential, many devices or accounts (docs/decisions/0020). What a feed carries goes the way
-- of what a hub carries: a feed is a row of hub with its own kind, and this table says how the vendor authenticates.

ALTER TABLE hub ADD COLUMN kind text NOT NULL DEFAULT 'hub' CHECK (kind IN ('hub', 'feed'));
COMMENT ON TABLE hub IS 'What carries many devices: a gateway, or a vendor''s cloud (feed).';
COMMENT ON COLUMN hub.kind IS 'hub: a gateway with tokens of its own; feed: a vendor''s cloud, see the table feed.';
COMMENT ON TABLE hub_device IS 'Which devices a hub or feed may speak for, and under which address: a Bluetooth address, or the vendor''s id of a device or account.';

ALTER TABLE activation DROP CONSTRAINT activation_source_kind_check;
ALTER TABLE activation ADD CONSTRAINT activation_source_kind_check CHECK (source_kind IN ('device', 'hub', 'feed'));
COMMENT ON TABLE activation IS 'Periods in which a device, hub or feed was active, from the first day: billing rests on them.';

CREATE TABLE feed (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    format text NOT NULL,
    authentication jsonb NOT NULL,
    challenge jsonb NOT NULL,
    secrets_sealed bytea,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, id) REFERENCES hub (tenant_id, id)
);
CREATE UNIQUE INDEX feed_id ON feed (id);
COMMENT ON TABLE feed IS 'How a vendor''s cloud authenticates its posts and what it sends. The rest of a feed is its row in hub.';
COMMENT ON COLUMN feed.format IS 'What the vendor sends, and how it names devices or accounts: a name of the server''s table of formats.';
COMMENT ON COLUMN feed.authentication IS 'How a post is authenticated, without the secret.';
COMMENT ON COLUMN feed.challenge IS 'What a GET or HEAD of the vendor is answered with.';
COMMENT ON COLUMN feed.secrets_sealed IS 'The secret that the vendor shows or signs with, and the one before it while that still holds; sealed by the server''s key.';

ALTER TABLE feed ENABLE ROW LEVEL SECURITY;
ALTER TABLE feed FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_scope ON feed TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()));
CREATE POLICY worker ON feed TO afferent_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON feed TO afferent_app;
-- A post names its feed before the tenant is known.
GRANT SELECT ON feed TO afferent_worker;
