"""Inspection of a network: kernels, feature maps, sensitivity."""
