"""Code that every stage shares: locked output folders, manifests, CSV tables, figures."""
