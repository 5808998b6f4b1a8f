"""The sample, piece by piece."""
