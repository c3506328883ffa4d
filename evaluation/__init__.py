"""A model or anyone's predictions in, CSV tables and plots out; the comparison of models."""
