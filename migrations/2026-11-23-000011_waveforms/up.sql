-- An endpoint that wants everything but some codes: an EHR that has no place for waveforms (decision 0022).
ALTER TABLE endpoint ADD COLUMN filter_except_codes text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN endpoint.filter_except_codes IS 'Tokens system|code of what does not go there, whatever else the filter says.';
