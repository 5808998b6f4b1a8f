"""The weathermap: six small services that show what the engine and the SDK do. See docs/weathermap.md."""
