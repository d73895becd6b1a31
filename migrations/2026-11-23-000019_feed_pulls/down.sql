DROP TABLE feed_pull;
DROP TABLE feed_authorization;
DROP TABLE feed_consent;
ALTER TABLE feed DROP COLUMN client;
