"""The names by which ServiceComb users know each setting: keys of YAML files, and variables of the environment."""

from __future__ import annotations

from collections.abc import Mapping

_REGISTRY = "servicecomb.service.registry."
_SPRING = "spring.cloud.servicecomb."
_KIE = "servicecomb.kie."
_CREDENTIALS = "servicecomb.credentials."
_TLS = "ssl.registry.consumer."

KEYS: Mapping[str, tuple[str, ...]] = {
    "name": (
        "servicecomb.service.name",
        "service_description.name",
        _SPRING + "service.name",
        _SPRING + "discovery.serviceName",
        "spring.application.name",
    ),
    "app": (
        "servicecomb.service.application",
        "APPLICATION_ID",
        _SPRING + "service.application",
        _SPRING + "discovery.appName",
    ),
    "version": (
        "servicecomb.service.version",
        "service_description.version",
        _SPRING + "service.version",
        _SPRING + "discovery.version",
    ),
    "environment": (
        "servicecomb.service.environment",
        "service_description.environment",
        _SPRING + "service.environment",
        "server.env",
    ),
    "description": (
        "servicecomb.service.description",
        "service_description.description",
        _SPRING + "service.description",
    ),
    "addresses": (_REGISTRY + "address", _SPRING + "discovery.address"),
    "project": ("servicecomb.config.client.domainName",),
    "domain": ("servicecomb.config.client.tenantName",),
    "endpoints": ("servicecomb.rest.address",),
    "publish_address": (
        "servicecomb.service.publishAddress",
        _SPRING + "discovery.publishAddress",
        "server.publishAddress",
    ),
    "host_name": (_SPRING + "discovery.hostname",),
    "status": (
        "servicecomb.instance.initialStatus",
        "instance_description.initialStatus",
        _SPRING + "instance.initialStatus",
    ),
    "heartbeat_interval": (_REGISTRY + "instance.healthCheck.interval", _SPRING + "discovery.healthCheckInterval"),
    "heartbeat_times": (_REGISTRY + "instance.healthCheck.times",),
    "heartbeat_timeout": (_SPRING + "discovery.healthCheckRequestTimeout",),
    "drain_wait": ("servicecomb.boot.turnDown.waitInSeconds", _SPRING + "discovery.waitTimeForShutDownInMillis"),
    "drain_timeout": (_SPRING + "context.waitTimeForShutDownInMillis",),
    "pull_interval": (_REGISTRY + "instance.pull.interval", _SPRING + "discovery.pollInterval"),
    "request_timeout": (_REGISTRY + "client.timeout.request",),
    "watch": (_REGISTRY + "instance.watch", _SPRING + "discovery.watch"),
    "empty_protection": (_REGISTRY + "instance.empty.protection",),
    "sign_calls": ("waggle.sign.calls", _SPRING + "webmvc.publicKey.consumerEnabled"),
    "config": (_SPRING + "config.enabled",),
    "config_addresses": (_KIE + "serverUri", _SPRING + "config.serverAddr"),
    "config_wait": (_KIE + "pollingWaitTime", _SPRING + "config.kie.pollingWaitTimeInSeconds"),
    "config_timeout": ("waggle.config.timeout",),
    "config_label": (_KIE + "customLabel", _SPRING + "config.kie.customLabel"),
    "config_label_value": (_KIE + "customLabelValue", _SPRING + "config.kie.customLabelValue"),
    "config_cache": ("waggle.config.cache",),
    "config_secrets": ("waggle.config.secrets",),
    "account_name": (_CREDENTIALS + "account.name", _SPRING + "credentials.account.name"),
    "account_password": (_CREDENTIALS + "account.password", _SPRING + "credentials.account.password"),
    "account_cipher": (_CREDENTIALS + "cipher", _SPRING + "credentials.account.cipher"),
    "account_enabled": (_CREDENTIALS + "rbac.enabled",),
    "monitor": ("servicecomb.monitor.client.enabled", _SPRING + "dashboard.enabled"),
    "monitor_addresses": ("servicecomb.monitor.client.serverUri", _SPRING + "dashboard.address"),
    "monitor_interval": ("servicecomb.monitor.client.interval", _SPRING + "dashboard.intervalInMills"),
    "metrics_address": ("servicecomb.metrics.prometheus.address",),
    "tls_ca": ("servicecomb." + _TLS + "caFile", _TLS + "caFile"),
    "tls_cert": ("servicecomb." + _TLS + "certFile", _TLS + "certFile"),
    "tls_key": ("servicecomb." + _TLS + "keyFile", _TLS + "keyFile"),
}
"""Keys of each setting, the strongest first. As a variable, a key has `_` for `.`, in any case."""

FILE_ONLY = frozenset(("APPLICATION_ID", "server.env", "server.publishAddress"))
"""The keys that are no variables: as such they mean other things elsewhere."""

MILLISECONDS = frozenset(
    (
        _SPRING + "discovery.healthCheckRequestTimeout",
        _SPRING + "discovery.pollInterval",
        _SPRING + "discovery.waitTimeForShutDownInMillis",
        _SPRING + "context.waitTimeForShutDownInMillis",
        _REGISTRY + "client.timeout.request",
        "servicecomb.monitor.client.interval",
        _SPRING + "dashboard.intervalInMills",
    )
)
"""The keys whose numbers are milliseconds where the setting is in seconds."""

ZONE_KEYS: Mapping[str, tuple[str, ...]] = {
    "name": ("servicecomb.datacenter.name", _SPRING + "discovery.datacenter.name"),
    "region": ("servicecomb.datacenter.region", _SPRING + "discovery.datacenter.region"),
    "zone": ("servicecomb.datacenter.availableZone", _SPRING + "discovery.datacenter.availableZone"),
}
"""Keys of the three parts of `data_center`."""

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "version": ("CAS_INSTANCE_VERSION",),
    "addresses": ("PAAS_CSE_SC_ENDPOINT", "PAAS_CSE_ENDPOINT", "CSE_REGISTRY_ADDR"),
    "project": ("CSE_PROJECT_ID",),
    "monitor_addresses": ("PAAS_CSE_DS_ENDPOINT",),
}
"""Variables with names of their own, the strongest first; they are stronger than the keys written as variables."""

MAPPINGS: Mapping[str, str] = {"app": "APP_MAPPING", "name": "SERVICE_MAPPING", "version": "VERSION_MAPPING"}
"""Variables that name another variable, which holds the value. They are the strongest."""

INSTANCE_PROPERTIES = (
    "servicecomb.instance.properties.",
    "instance_description.properties.",
    _SPRING + "instance.properties.",
)
SERVICE_PROPERTIES = (
    "servicecomb.service.properties.",
    "service_description.properties.",
    _SPRING + "service.properties.",
)
CARRIED = (
    "CAS_APPLICATION_ID",
    "CAS_COMPONENT_NAME",
    "CAS_INSTANCE_VERSION",
    "CAS_INSTANCE_ID",
    "CAS_ENVIRONMENT_ID",
)
"""Variables that become properties of the instance, by the same name."""
