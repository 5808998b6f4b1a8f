"""Governance on the weathermap: real processes, rules written as users write them, and what is seen of that."""
