"""Whether a call is made, and how often: limits, breakers, bulkheads, retries, faults, fallbacks."""
