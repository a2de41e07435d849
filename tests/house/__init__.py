"""The project looked at from outside: layers, start-up, public names, words, the README."""
