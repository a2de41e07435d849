"""dvc.lock: its text, what it records, what changed since, and the keys that follow from it."""
