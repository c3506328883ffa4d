"""Trains the network that finds faces: pictures with five points per face in, the model folder `face-finder` out."""
