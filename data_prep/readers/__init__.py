"""Readers: one module for each layout of labels and pictures."""
