DROP INDEX delivery_log_resource;
ALTER TABLE observation DROP COLUMN observed_at;
REVOKE INSERT ON resource_version FROM afferent_worker;
