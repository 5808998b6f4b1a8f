"""The SDK's parts, with a clock and an engine that tests control."""
