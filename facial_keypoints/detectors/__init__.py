"""Face detectors: callables that take a picture and return `boxes.Boxes`."""
