"""Many experiments by the real command: what they may hold, what is shown, what is kept."""
