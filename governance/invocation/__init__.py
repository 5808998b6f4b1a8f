"""What a call is while it is handled: who calls what, the context that travels along, the rules, and the stages it passes."""
