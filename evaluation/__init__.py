"""Stage 3: scores models or predictions in CSV tables and plots, and compares them."""
