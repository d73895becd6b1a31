DROP INDEX delivery_dead;
CREATE INDEX delivery_list ON delivery (tenant_id, endpoint_id, state, id);
ALTER TABLE delivery ADD FOREIGN KEY (tenant_id, endpoint_id) REFERENCES endpoint (tenant_id, id);
ALTER TABLE ingest_key ADD FOREIGN KEY (tenant_id) REFERENCES tenant (id);
ALTER TABLE observation
    DROP CONSTRAINT observation_id_length,
    ADD CONSTRAINT observation_id_check CHECK (id ~ '^[A-Za-z0-9.-]{1,64}$'),
    ADD FOREIGN KEY (tenant_id) REFERENCES tenant (id),
    ADD FOREIGN KEY (identifier_system) REFERENCES identifier_system (id),
    ADD FOREIGN KEY (code_id) REFERENCES concept (id);
