"""What every stage shares: output folders written whole or not at all, manifests, errors, pictures."""
