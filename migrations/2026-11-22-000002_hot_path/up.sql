-- What every reading pays for, and nobody needs (docs/decisions/0012, with the measurements):
--   * a foreign key costs a look-up and a row lock for each row that is born, and two commits at once that lock the same
--     parent row pay for a multixact on top. What these keys protect cannot go: tenants, concepts and identifier systems are
--     never deleted (nobody has the right to), and an endpoint is resolved inside the very transaction that names it;
--   * a regular expression for an id that the server made itself. What a client sends is checked where it is parsed.

ALTER TABLE observation
    DROP CONSTRAINT observation_tenant_id_fkey,
    DROP CONSTRAINT observation_identifier_system_fkey,
    DROP CONSTRAINT observation_code_id_fkey,
    DROP CONSTRAINT observation_id_check,
    ADD CONSTRAINT observation_id_length CHECK (octet_length(id) BETWEEN 1 AND 64) NOT VALID;
ALTER TABLE observation VALIDATE CONSTRAINT observation_id_length;
COMMENT ON TABLE observation IS 'Observations, unpartitioned: both (tenant, id) and (tenant, identifier) must be unique over all time. No foreign keys: what they would point to is never deleted, and each costs a look-up and a lock a reading.';

ALTER TABLE ingest_key DROP CONSTRAINT ingest_key_tenant_id_fkey;
ALTER TABLE delivery DROP CONSTRAINT delivery_tenant_id_endpoint_id_fkey;

-- Only the dead letters are listed by state; what is pending is listed in the order of ids, which is the primary key's.
DROP INDEX delivery_list;
CREATE INDEX delivery_dead ON delivery (tenant_id, endpoint_id, id) WHERE state = 'dead';
