-- Hubs: their decoders' settings, what unknown devices behind them sent, and uplinks that wait for the rest of their
-- frames (docs/decisions/0018).

-- ---------------------------------------------------------------------------------------------------------------
-- Settings of a hub's decoder
-- ---------------------------------------------------------------------------------------------------------------

ALTER TABLE hub
    ADD COLUMN variables_sealed bytea,
    ADD COLUMN variables_version integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN hub.variables_sealed IS 'The hub decoder''s variables (handle map …), sealed by the server''s key; JSON object of strings inside.';

-- ---------------------------------------------------------------------------------------------------------------
-- What devices sent that are not paired with the hub that carried it
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE unclaimed_item (
    tenant_id uuid NOT NULL,
    uplink_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    hub_id uuid NOT NULL,
    address text COLLATE "C" NOT NULL,
    item_key bytea NOT NULL,
    channel text NOT NULL,
    device_type text,
    size integer NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'claimed', 'settled', 'discarded', 'expired')),
    device_id uuid,
    token_id uuid,
    reason text,
    settled_at timestamptz,
    PRIMARY KEY (tenant_id, uplink_id),
    UNIQUE (tenant_id, hub_id, item_key),
    FOREIGN KEY (tenant_id, hub_id) REFERENCES hub (tenant_id, id)
);
CREATE INDEX unclaimed_item_open ON unclaimed_item (tenant_id, hub_id, address) WHERE state = 'open';
CREATE INDEX unclaimed_item_claimed ON unclaimed_item (tenant_id, device_id, received_at, uplink_id) WHERE state = 'claimed';
CREATE INDEX unclaimed_item_state ON unclaimed_item (tenant_id, state, received_at);
COMMENT ON TABLE unclaimed_item IS 'Items of devices that are not paired with the hub that carried them; their bytes lie with their uplink, sealed. Pairing claims them.';
COMMENT ON COLUMN unclaimed_item.address IS 'How the hub names the device, in one spelling.';
COMMENT ON COLUMN unclaimed_item.item_key IS 'Hash by which the same item is known when the hub sends it again.';
COMMENT ON COLUMN unclaimed_item.device_type IS 'What the hub calls the kind of device.';
COMMENT ON COLUMN unclaimed_item.state IS 'open; claimed (its device is paired, it is to be decoded); settled (decoded: the uplink''s outcome says what became of it); discarded by a person; expired (nobody claimed it in time, its bytes are gone).';
COMMENT ON COLUMN unclaimed_item.token_id IS 'Who discarded it.';
COMMENT ON COLUMN unclaimed_item.reason IS 'Why it was discarded.';

COMMENT ON COLUMN uplink.outcome IS 'stored, duplicate, nothing, undecodable, incomplete, joined (decoded with later frames; the reason is that uplink), unassigned, held or quarantined; expired when frames that were missing never came. Of a hub''s own payload: split. Of a device behind a hub that is not paired: unclaimed, discarded.';
COMMENT ON COLUMN uplink.device_id IS 'The device; NULL for a hub''s own payload, and for what nobody has claimed.';

-- ---------------------------------------------------------------------------------------------------------------
-- Uplinks that wait for the rest of their frames
-- ---------------------------------------------------------------------------------------------------------------

CREATE TABLE waiting_frames (
    tenant_id uuid NOT NULL,
    device_id uuid NOT NULL,
    uplink_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    tried boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, device_id, uplink_id)
);
CREATE INDEX waiting_frames_expiry ON waiting_frames (expires_at);
CREATE INDEX waiting_frames_untried ON waiting_frames (tenant_id, device_id) WHERE NOT tried;
COMMENT ON TABLE waiting_frames IS 'Uplinks whose decoder asked for more frames. They are decoded again together with what the device sends next; gone when joined, or quarantined when nothing came in time.';
COMMENT ON COLUMN waiting_frames.tried IS 'Whether it was decoded together with those that were waiting before it.';

-- ---------------------------------------------------------------------------------------------------------------
-- Row-level security and grants
-- ---------------------------------------------------------------------------------------------------------------

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['unclaimed_item', 'waiting_frames'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_scope ON %I TO afferent_app USING (tenant_id = ANY (scoped_tenants())) WITH CHECK (tenant_id = ANY (scoped_tenants()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO afferent_worker USING (true) WITH CHECK (true)', t);
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON unclaimed_item TO afferent_app;
GRANT SELECT, UPDATE ON unclaimed_item TO afferent_worker;
GRANT SELECT ON waiting_frames TO afferent_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON waiting_frames TO afferent_worker;

-- The group commit asks whether a hub may speak for a device, inside its transaction.
CREATE POLICY worker ON hub TO afferent_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON hub_device TO afferent_worker USING (true) WITH CHECK (true);
GRANT SELECT ON hub, hub_device TO afferent_worker;
