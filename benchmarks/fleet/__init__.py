"""A fleet of simulated services: each calls the engine as its client library does, on its own beat. See docs/benchmarks.md."""
