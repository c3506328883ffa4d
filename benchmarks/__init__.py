"""Measurements of the results in `docs`; each is one command."""
