"""The SDK: what a Python service needs to live in a ServiceComb application. See docs/sdk.md.

async with Microservice(ServiceSettings.load(name="greeter")) as service:
    async with service.http.get("cse://weather/weather/show", params={"city": "Berlin"}) as answer:
        print(await answer.json())
"""

from governance.invocation import context
from governance.resilience.retry import RetriesExhaustedError
from governance.routing.errors import NoInstanceError
from governance.sdk.answers import Answer, LocalAnswer
from governance.sdk.calls import EngineError, EngineUnavailableError
from governance.sdk.configuration import Change, Configuration, ConfigurationError
from governance.sdk.heartbeat import Heartbeats
from governance.sdk.microservice import Microservice
from governance.sdk.model import Instance
from governance.sdk.server import GovernedASGI, governed
from governance.sdk.session import Session
from governance.sdk.settings import DataCenter, ServiceSettings, SettingsError
from governance.sdk.stopping import until_stopped

__all__ = [
    "Answer",
    "Change",
    "Configuration",
    "ConfigurationError",
    "DataCenter",
    "EngineError",
    "EngineUnavailableError",
    "GovernedASGI",
    "Heartbeats",
    "Instance",
    "LocalAnswer",
    "Microservice",
    "NoInstanceError",
    "RetriesExhaustedError",
    "ServiceSettings",
    "Session",
    "SettingsError",
    "context",
    "governed",
    "until_stopped",
]
