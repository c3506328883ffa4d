"""Clips and cameras: reads frames, follows faces, writes annotated clips."""
