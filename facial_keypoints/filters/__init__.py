"""Face filters: PNG files with anchors, and the code that puts them on faces."""
