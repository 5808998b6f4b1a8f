"""The same load on any Service Center: how fast it answers, what it costs, and how it compares. See docs/benchmarks.md."""
