"""The provider's side: requests that come in pass the rules before they are handled, in aiohttp and in any ASGI framework."""

from governance.sdk.server.aiohttp_middleware import governed
from governance.sdk.server.asgi import GovernedASGI
from governance.sdk.server.inbound import Arrival, Inbound

__all__ = ["Arrival", "GovernedASGI", "Inbound", "governed"]
