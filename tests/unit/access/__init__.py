"""The core of access control, without an engine."""
