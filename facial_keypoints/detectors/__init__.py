"""Face detectors: each file but `per_thread` holds one, a callable that takes a picture and returns `boxes.Boxes`."""
