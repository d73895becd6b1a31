-- New versions of readings: the group commit keeps what it supersedes, knows which state of a growing record is the newer
-- one, and finds the endpoints that a correction has to reach (docs/decisions/0013).

-- The group commit writes new versions (`replace`, corrections), therefore it keeps the old ones.
GRANT INSERT ON resource_version TO afferent_worker;

ALTER TABLE observation ADD COLUMN observed_at timestamptz;
COMMENT ON COLUMN observation.observed_at IS 'Of a record that grows (`replace`): when its present state was seen, by the capture, else by the receipt. NULL for all others. A state that was seen earlier does not overwrite it.';

-- A withdrawal has to reach every endpoint that was sent an earlier version. Off the hot path of ingest: the forwarder
-- writes this table, once a delivery.
CREATE INDEX delivery_log_resource ON delivery_log (tenant_id, resource_id, endpoint_id);
