"""The engine: what one `waggle serve` process runs. See docs/architecture.md."""

from importlib.metadata import version

__version__ = version("waggle-engine")
