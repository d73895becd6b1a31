-- Vendors that notify and let the data be fetched (docs/decisions/0020): our client there, what accounts' owners consented
-- to, and the pulls that are owed.

ALTER TABLE feed ADD COLUMN client jsonb;
COMMENT ON COLUMN feed.client IS 'How the vendor''s API is called: its addresses, and our client id there. The client secret is among the sealed secrets.';

CREATE TABLE feed_consent (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    feed_id uuid NOT NULL,
    device_id uuid NOT NULL,
    state_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, feed_id) REFERENCES feed (tenant_id, id)
);
CREATE UNIQUE INDEX feed_consent_state ON feed_consent (state_hash);
CREATE INDEX feed_consent_of_feed ON feed_consent (tenant_id, feed_id, expires_at);
COMMENT ON TABLE feed_consent IS 'Links by which an account''s owner can consent, until one is used or ends.';
COMMENT ON COLUMN feed_consent.device_id IS 'The virtual device that the account is to be linked with.';
COMMENT ON COLUMN feed_consent.state_hash IS 'SHA-256 of the state parameter (RFC 6749 section 10.12), which is used once.';

CREATE TABLE feed_authorization (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    feed_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    state text NOT NULL DEFAULT 'granted' CHECK (state IN ('granted', 'refused')),
    reason text,
    tokens_sealed bytea,
    version integer NOT NULL DEFAULT 1,
    refreshing_until timestamptz,
    valid_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, feed_id, external_id),
    FOREIGN KEY (tenant_id, feed_id) REFERENCES feed (tenant_id, id)
);
COMMENT ON TABLE feed_authorization IS 'What an account''s owner let us fetch: the OAuth tokens, sealed.';
COMMENT ON COLUMN feed_authorization.state IS 'granted; refused: the vendor does not take the tokens any more, the owner has to consent again.';
COMMENT ON COLUMN feed_authorization.version IS 'Raised with every new pair of tokens: a refresh replaces only the pair that it used.';
COMMENT ON COLUMN feed_authorization.refreshing_until IS 'Somebody refreshes: refresh tokens rotate, so that only one may at a time. It ends by itself when that process is gone.';
COMMENT ON COLUMN feed_authorization.valid_at IS 'When the vendor took the tokens last: what changed there since then is fetched when the owner consents again.';

CREATE TABLE feed_pull (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    feed_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('measurements', 'activity', 'subscription')),
    range_from timestamptz NOT NULL,
    range_until timestamptz,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'pulling', 'unauthorized', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    lease uuid,
    last_error text,
    notified_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, feed_id) REFERENCES feed (tenant_id, id)
);
CREATE INDEX feed_pull_of_account ON feed_pull (tenant_id, feed_id, external_id, kind);
CREATE INDEX feed_pull_due ON feed_pull (next_at) WHERE state IN ('waiting', 'pulling');
COMMENT ON TABLE feed_pull IS 'Data that a vendor announced and that is still to be fetched, and subscriptions that are still to be made. Gone when done.';
COMMENT ON COLUMN feed_pull.range_from IS 'From when; what was fetched and committed is in front of it.';
COMMENT ON COLUMN feed_pull.range_until IS 'Until when; null: whatever was made or changed since range_from.';
COMMENT ON COLUMN feed_pull.state IS 'waiting; pulling, until next_at at most; unauthorized: the owner has to consent (again); dead: given up after many tries. The last two are tried again after a consent, dead ones at request.';
COMMENT ON COLUMN feed_pull.next_at IS 'When it is tried; while it is pulled, when the lease ends.';
COMMENT ON COLUMN feed_pull.lease IS 'Who pulls it: only that one may finish it.';

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['feed_consent', 'feed_authorization', 'feed_pull'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_scope ON %I TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO afferent_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON feed_consent, feed_authorization, feed_pull TO afferent_app;
-- A callback shows its state before the tenant is known; the key is changed and the queue looked through for all tenants.
GRANT SELECT ON feed_consent, feed_authorization TO afferent_worker;
GRANT SELECT, UPDATE ON feed_pull TO afferent_worker;
