"""Clips and cameras: frames in, faces followed from frame to frame, annotated clips out."""
