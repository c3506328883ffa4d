"""One module for each layout of labels and pictures that `prepare` reads."""
