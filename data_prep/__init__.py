"""Stage 1: turns pictures and label files into numpy arrays."""
