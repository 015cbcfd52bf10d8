"""Schema history. Travels in the wheel, so that an installed program can upgrade itself."""
