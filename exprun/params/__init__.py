"""Parameters: the override grammar, sweeps, and edits that keep a file's comments."""
