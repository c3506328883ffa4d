"""Face filters: PNG files with anchors, and how they are laid on a face."""
