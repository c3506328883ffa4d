"""Runs the training core many times on engines that exist; they need `requirements-scale.txt`."""
