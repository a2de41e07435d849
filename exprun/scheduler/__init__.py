"""Deciding what runs next: a pure state machine over the stages of all experiments."""
