"""Scripts that draw the filters and the pictures of the docs."""
