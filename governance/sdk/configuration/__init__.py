"""Watched configuration: what the engine's config centre says to this service, now. See docs/sdk.md."""

from governance.sdk.configuration.configuration import Configuration
from governance.sdk.configuration.listeners import Change
from governance.sdk.references import ConfigurationError

__all__ = ["Change", "Configuration", "ConfigurationError"]
