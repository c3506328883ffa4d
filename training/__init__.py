"""Arrays and a network in, a trained model folder out."""
