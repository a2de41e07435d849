"""Where an experiment runs: in the user's own directory, or in an isolated copy of a tree."""
