"""The console as people use it: its pages on the running weathermap, in a real browser."""
