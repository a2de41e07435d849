"""The durable queue of experiments: what is to run, what was started, and how it ended."""
