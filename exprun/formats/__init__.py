"""YAML 1.2, JSON, TOML and Python documents: text to values."""
