DROP POLICY worker ON hub_device;
DROP POLICY worker ON hub;
REVOKE ALL ON hub, hub_device FROM afferent_worker;
DROP TABLE waiting_frames;
DROP TABLE unclaimed_item;
ALTER TABLE hub DROP COLUMN variables_version, DROP COLUMN variables_sealed;
