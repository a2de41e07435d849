"""Running: needs, retries, what is kept of failures, and what is shown meanwhile."""
