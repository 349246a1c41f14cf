-- Whether a dead letter was replayed.
CREATE INDEX receipts_by_replay ON receipts (replay_of) WHERE replay_of <> '';
