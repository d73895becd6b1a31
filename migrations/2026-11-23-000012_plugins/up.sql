-- Who makes decoders, their versions, and which of them serves (docs/decisions/0024).
-- All of it lies outside tenant security: decoders are the same for every tenant.

CREATE TABLE vendor (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    public_key bytea CHECK (length(public_key) = 32),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE vendor IS 'Makers of decoders that may upload their own.';
COMMENT ON COLUMN vendor.public_key IS 'Ed25519 (RFC 8032). Whoever has one must sign what they upload.';

ALTER TABLE api_token ADD COLUMN vendor_id uuid REFERENCES vendor (id);
COMMENT ON COLUMN api_token.vendor_id IS 'Of a vendor''s token: whose decoders it may touch.';
ALTER TABLE api_token DROP CONSTRAINT api_token_role_check;
ALTER TABLE api_token DROP CONSTRAINT api_token_check;
ALTER TABLE api_token ADD CONSTRAINT api_token_role_check CHECK (role IN ('platform-admin', 'distributor-admin', 'distributor-user', 'customer-admin', 'customer-user', 'practitioner', 'vendor'));
ALTER TABLE api_token ADD CONSTRAINT api_token_tenant_check CHECK ((role IN ('platform-admin', 'vendor')) = (tenant_id IS NULL));
ALTER TABLE api_token ADD CONSTRAINT api_token_vendor_check CHECK ((role = 'vendor') = (vendor_id IS NOT NULL));

CREATE TABLE plugin (
    name text PRIMARY KEY,
    vendor_id uuid REFERENCES vendor (id),
    pinned boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE plugin IS 'Decoders by name. Without a vendor it is the platform''s.';
COMMENT ON COLUMN plugin.pinned IS 'Somebody chose the active version: a newer one that comes with the server does not replace it.';

CREATE TABLE plugin_version (
    id uuid PRIMARY KEY,
    plugin text NOT NULL REFERENCES plugin (name),
    version text NOT NULL,
    state text NOT NULL CHECK (state IN ('draft', 'shadow', 'active', 'retired')),
    origin text NOT NULL CHECK (origin IN ('bundled', 'directory', 'registry')),
    content_hash text NOT NULL CHECK (length(content_hash) = 64),
    component bytea,
    size bigint NOT NULL,
    models text[] NOT NULL,
    manifest jsonb NOT NULL,
    examination jsonb NOT NULL,
    shadow_share smallint NOT NULL DEFAULT 0 CHECK (shadow_share BETWEEN 0 AND 100),
    author text NOT NULL,
    uploaded_by uuid REFERENCES api_token (id),
    signature bytea CHECK (length(signature) = 64),
    signed_with bytea CHECK (length(signed_with) = 32),
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (plugin, version),
    CHECK ((origin = 'registry') = (component IS NOT NULL)),
    CHECK ((signature IS NULL) = (signed_with IS NULL))
);
CREATE UNIQUE INDEX plugin_version_active ON plugin_version (plugin) WHERE state = 'active';
CREATE UNIQUE INDEX plugin_version_shadow ON plugin_version (plugin) WHERE state = 'shadow';
COMMENT ON TABLE plugin_version IS 'Versions of decoders: those that came with a server, and those that were uploaded, with their bytes.';
COMMENT ON COLUMN plugin_version.shadow_share IS 'Percent of the live uplinks that a version in shadow decodes beside the active one.';
COMMENT ON COLUMN plugin_version.author IS 'Name of the token that uploaded it, as it was then.';

CREATE TABLE plugin_event (
    id uuid PRIMARY KEY,
    plugin text NOT NULL REFERENCES plugin (name),
    version text NOT NULL,
    action text NOT NULL CHECK (action IN ('uploaded', 'shadowed', 'activated', 'rolled-back', 'retired', 'unpinned')),
    before_version text,
    token_id uuid REFERENCES api_token (id),
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX plugin_event_plugin ON plugin_event (plugin, id);
COMMENT ON TABLE plugin_event IS 'What was done to decoders, by whom and why; append-only.';
COMMENT ON COLUMN plugin_event.before_version IS 'The version that was active until then.';

CREATE TABLE plugin_generation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    value bigint NOT NULL
);
INSERT INTO plugin_generation (value) VALUES (1);
COMMENT ON TABLE plugin_generation IS 'One row, counted up whenever another version serves: server processes look at it every second.';

ALTER TABLE decoder DROP CONSTRAINT decoder_origin_check;
ALTER TABLE decoder ADD CONSTRAINT decoder_origin_check CHECK (origin IN ('bundled', 'directory', 'registry'));

GRANT SELECT, INSERT, UPDATE ON vendor, plugin, plugin_version TO afferent_app;
GRANT SELECT, INSERT ON plugin_event TO afferent_app;
GRANT SELECT, UPDATE ON plugin_generation TO afferent_app;
GRANT SELECT ON plugin, plugin_version, plugin_generation TO afferent_worker;
