"""The tests of exprun."""
