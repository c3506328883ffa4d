"""What a network sees: filters, activations, sensitivity."""
