"""Where the project is on disk: root, configuration, locks, ignore rules, DVC files."""
