"""The command line: one client of the library, and the only part that prints and exits."""
