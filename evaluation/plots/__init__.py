"""The plots of an evaluation and of a comparison."""
