"""Trains the network that finds faces: reads pictures with five points per face, writes the folder `face-finder`."""
