"""The journal port, its adapters, and the committer that writes to it."""
