-- The floor: the least that anybody pays who keeps a payload and its Observation durably in this very Postgres.
--
-- Two tables with nothing but their primary keys; no row-level security, foreign keys, search indexes, keys against
-- repeats, deliveries or versions. `afferent bench` fills them in batches of 200 payloads over two connections, one
-- statement and one commit a batch, with fsync and synchronous_commit on, and with the texts that Afferent stored for the
-- same payloads. Ratio = time of the floor ÷ our time per payload.

-- section: tables

CREATE SCHEMA floor;

CREATE TABLE floor.uplink (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    device_id uuid NOT NULL,
    channel text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE floor.observation (
    tenant_id uuid NOT NULL,
    id text COLLATE "C" NOT NULL,
    uplink_id uuid NOT NULL,
    patient_id text COLLATE "C" NOT NULL,
    effective_at timestamptz NOT NULL,
    body text COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- section: batch
-- $1 tenant, $2 time; of the uplinks $3 ids, $4 devices, $5 channels, $6 frames; of the Observations $7 ids, $8 uplinks,
-- $9 patients, $10 texts.

WITH uplinks AS (
    INSERT INTO floor.uplink (tenant_id, id, received_at, device_id, channel, body)
    SELECT $1, u.id, $2, u.device_id, u.channel, u.body
    FROM unnest($3, $4, $5, $6) AS u (id, device_id, channel, body)
)
INSERT INTO floor.observation (tenant_id, id, uplink_id, patient_id, effective_at, body)
SELECT $1, o.id, o.uplink_id, o.patient_id, $2, o.body
FROM unnest($7, $8, $9, $10) AS o (id, uplink_id, patient_id, body);
