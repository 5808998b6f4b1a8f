"""The SDK: what a Python service needs to live in a ServiceComb application. See docs/sdk.md.

async with Microservice(ServiceSettings.load(name="greeter")) as service:
    async with service.http.get("cse://weather/weather/show", params={"city": "Berlin"}) as answer:
        print(await answer.json())
"""

from governance.sdk.client import EngineError, EngineUnavailableError
from governance.sdk.configuration import Change, Configuration, ConfigurationError
from governance.sdk.heartbeat import Heartbeats
from governance.sdk.microservice import Microservice
from governance.sdk.model import Instance
from governance.sdk.session import NoInstanceError, Session
from governance.sdk.settings import DataCenter, ServiceSettings, SettingsError
from governance.sdk.stopping import until_stopped

__all__ = [
    "Change",
    "Configuration",
    "ConfigurationError",
    "DataCenter",
    "EngineError",
    "EngineUnavailableError",
    "Heartbeats",
    "Instance",
    "Microservice",
    "NoInstanceError",
    "ServiceSettings",
    "Session",
    "SettingsError",
    "until_stopped",
]
