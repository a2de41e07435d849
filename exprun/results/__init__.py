"""Stored experiments as people look at them and handle them: show, diff, apply, remove, rename."""
