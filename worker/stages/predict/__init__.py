"""Predictions for images that a user sends: read apart and confined, then shown to the network."""
