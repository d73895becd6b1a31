DROP TABLE lane_lease, delivery_log, delivery, endpoint_patient, endpoint, held_reading, quarantine, ingest_key, uplink,
    observation_identifier_more, observation, resource_reference, resource_date, resource_string, resource_token,
    resource_version, resource, assignment, activation, hub_device, hub, device, concept_coding, concept,
    identifier_system, device_unit, device_model, decoder, source_credential, api_token, tenant, installation;
DROP FUNCTION ensure_partitions(integer);
DROP FUNCTION scoped_tenants();
DROP EXTENSION btree_gist;
