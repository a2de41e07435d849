"""One module for each command: its parser and what it does."""
