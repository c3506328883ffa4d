"""Sweeps of training runs with Optuna, and scoring of millions of pictures with Ray (`requirements-scale.txt`)."""
