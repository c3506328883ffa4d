"""Writes `report.md` of a data folder, and its pictures."""
