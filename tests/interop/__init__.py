"""Unmodified clients of other languages against a real engine."""
