-- Additive: which hosts an agent runs on.
ALTER TABLE queues ADD COLUMN runs_on TEXT NOT NULL DEFAULT ''; -- labels, a JSON list
