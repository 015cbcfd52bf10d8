"""What the reader leaves for the network."""

PIXELS = "pixels.u8"
"""uint8, shape (readable images, S, S, 3)."""
READ = "read.jsonl"
"""A line for each image, in order: null, or why it cannot be read (`code`, `detail`)."""
ANSWER = "predictions.json"
