"""What every stage shares: locked output folders, manifests, pictures."""
