DROP TABLE feed;
DELETE FROM activation WHERE source_kind = 'feed';
ALTER TABLE activation DROP CONSTRAINT activation_source_kind_check;
ALTER TABLE activation ADD CONSTRAINT activation_source_kind_check CHECK (source_kind IN ('device', 'hub'));
ALTER TABLE hub DROP COLUMN kind;
