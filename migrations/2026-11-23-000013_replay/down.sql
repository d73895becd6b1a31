DROP TABLE shadow_key;
DROP TABLE shadow_replay;
DROP TABLE replay_item;
DROP TABLE replay;
ALTER TABLE reading_correction DROP CONSTRAINT reading_correction_action_check;
DELETE FROM reading_correction WHERE action = 'replay';
ALTER TABLE reading_correction ADD CONSTRAINT reading_correction_action_check
    CHECK (action IN ('claim', 'release', 'take', 'discard', 'reassign'));
ALTER TABLE reading_correction DROP COLUMN replay_id;
DELETE FROM held_reading WHERE state = 'alias';
UPDATE held_reading SET state = 'discarded' WHERE state = 'corrected';
ALTER TABLE held_reading DROP CONSTRAINT held_reading_alias;
ALTER TABLE held_reading DROP CONSTRAINT held_reading_state_check;
ALTER TABLE held_reading ADD CONSTRAINT held_reading_state_check
    CHECK (state IN ('open', 'claimed', 'released', 'taken', 'discarded', 'expired'));
ALTER TABLE held_reading DROP COLUMN identity_key;
DROP INDEX observation_received;
ALTER TABLE observation DROP COLUMN edited_at;
