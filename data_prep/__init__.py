"""Pictures and label files in, numpy arrays out."""
