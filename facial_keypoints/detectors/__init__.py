"""Face detectors: each file holds one, a callable that takes a picture and returns `boxes.Boxes`."""
