"""Tests of the config core."""
