"""Measurements behind the results in `docs`; each is one command."""
