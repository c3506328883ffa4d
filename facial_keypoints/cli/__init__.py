"""The commands `predict`, `filter`, `align` and `live`, and what they share."""
