"""/metrics in Prometheus' text format. Protocol: Service Center section 13, in the names that make sense here, and the engine's own."""

from __future__ import annotations

import collections
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from registry.access.callers import REASONS
from registry.alarms.rules import SEVERITIES
from registry.api.call import Call, Reply
from registry.api.connection import HotServer
from registry.api.events import EventStreams
from registry.api.hot import HotPath
from registry.api.kie.polling import Pollers
from registry.api.monitor.live import LiveStreams
from registry.api.watch import Watchers
from registry.catalog.records import Service
from registry.catalog.services import DEFAULT_TENANT
from registry.engine import Engine
from registry.engine.webhooks import Webhooks

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_MOST_DOMAINS = 100
_LONGEST_DOMAIN = 64


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers come from."""

    engine: Engine
    watchers: Watchers
    streams: EventStreams
    pollers: Pollers
    hot: HotPath
    server: HotServer
    live: LiveStreams
    webhooks: Webhooks


class Metrics(Collector):
    """The engine's metrics. Domains beyond the first hundred are counted as `other`, so that clients cannot make series without bound."""

    def __init__(self, sources: Sources, instance: str) -> None:
        self._sources = sources
        self._instance = instance
        self._started = time.monotonic()
        self.registry = CollectorRegistry()
        labels = ("method", "code", "api", "domain", "instance")
        self._requests = Counter(
            "service_center_http_request_total", "Requests answered", labels, registry=self.registry
        )
        self._successes = Counter(
            "service_center_http_success_total", "Requests answered, 5xx aside", labels, registry=self.registry
        )
        self._durations = Histogram(
            "service_center_http_request_durations_seconds",
            "Seconds from a whole request to its answer",
            ("api", "instance"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._commits = Histogram(
            "waggle_journal_commit_seconds",
            "Seconds of one journal transaction",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, int, str, str], Sequence[Counter]] = {}
        self._timed: dict[str, Histogram] = {}
        self._domains: set[str] = set()
        self._journal_bytes = 0
        ProcessCollector(registry=self.registry)
        self.registry.register(self)
        sources.engine.committer.observe = self._commits.observe

    def observe(self, method: str, status: int, api: str, domain: str, seconds: float) -> None:
        """Count one request."""
        domain = domain[:_LONGEST_DOMAIN]
        if domain not in self._domains:
            domain = domain if len(self._domains) < _MOST_DOMAINS else "other"
            self._domains.add(domain)
        key = (method, status, api, domain)
        children = self._children.get(key)
        if children is None:
            counters = (self._requests, self._successes) if status < 500 else (self._requests,)
            children = self._children[key] = [counter.labels(*key, self._instance) for counter in counters]
        for child in children:
            child.inc()
        timed = self._timed.get(api)
        if timed is None:
            timed = self._timed[api] = self._durations.labels(api, self._instance)
        timed.observe(seconds)

    async def show(self, _call: Call) -> Reply:
        """GET /metrics."""
        self._journal_bytes = await self._sources.engine.journal.size()
        return Reply(200, generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4)

    def collect(self) -> Iterator[Metric]:
        """The metrics that are read off the engine when asked for."""
        yield from self._catalog()
        yield self._config()
        yield from self._gauges()
        yield from self._counters()
        yield self._answers_of_hot_path()
        yield from self._alarms()

    def _catalog(self) -> Iterable[Metric]:
        services = GaugeMetricFamily(
            "service_center_db_service_total",
            "Services by framework",
            labels=("framework", "frameworkVersion", "domain", "project", "instance"),
        )
        instances = GaugeMetricFamily(
            "service_center_db_instance_total",
            "Instances by framework of their service",
            labels=("framework", "frameworkVersion", "domain", "project", "instance"),
        )
        counts: dict[tuple[str, ...], list[int]] = {}
        catalog = self._sources.engine.catalog
        for name, tenant in catalog.state.tenants.items():
            for service in tenant.services.values():
                if not catalog.services.is_shared(service):
                    row = counts.setdefault((*_framework(service), *name.split("/", 1), self._instance), [0, 0])
                    row[0] += 1
                    row[1] += len(tenant.instances_of(service.service_id))
        for labels, (number, running) in counts.items():
            services.add_metric(labels, number)
            instances.add_metric(labels, running)
        schemas = GaugeMetricFamily(
            "service_center_db_schema_total", "Uploaded schemas", labels=("domain", "project", "instance")
        )
        for name, number in catalog.schemas.count().items():
            schemas.add_metric((*name.split("/", 1), self._instance), number)
        return services, instances, schemas

    def _config(self) -> Metric:
        """KIE section A.11."""
        family = GaugeMetricFamily("servicecomb_kie_config_count", "Key-values", labels=("domain", "project"))
        counts = {name: len(table.by_id) for name, table in self._sources.engine.config.state.tables()}
        for name, number in ({DEFAULT_TENANT: 0} | counts).items():
            family.add_metric(name.split("/", 1), number)
        return family

    def _gauges(self) -> Iterable[Metric]:
        sources, engine, catalog = self._sources, self._sources.engine, self._sources.engine.catalog
        leases, limits = catalog.state.leases, catalog.limits
        services = sum(len(tenant.services) for tenant in catalog.state.tenants.values())
        rows = (
            ("service_center_db_domain_total", "Domains", len({name.split("/")[0] for name in catalog.state.tenants})),
            ("service_center_db_service_usage", "Services of their quota", services / limits.quota_services),
            (
                "service_center_db_instance_usage",
                "Instances of their quota",
                len(leases.alive) / limits.quota_instances,
            ),
            ("service_center_db_sc_total", "Engines", 1),
            ("service_center_notify_subscriber_total", "Open websockets", sources.watchers.sockets.count),
            (
                "service_center_notify_pending_total",
                "Changes waiting for their commit",
                sources.engine.committer.waiting,
            ),
            ("waggle_event_streams", "Open event streams", sources.streams.count),
            ("waggle_config_polls", "Requests that wait for a change of the configuration", sources.pollers.count),
            ("waggle_leases", "Living leases", len(leases.alive)),
            (
                "waggle_leases_protected",
                "Overdue instances that are kept, see docs/protection.md",
                len(leases.protected),
            ),
            ("waggle_connections", "Open connections", len(sources.server.connections)),
            ("waggle_event_loop_lag_seconds", "How late the last tick was", sources.engine.lag_seconds),
            ("waggle_journal_bytes", "Size of the journal", self._journal_bytes),
            ("waggle_journal_revision", "Revision of the newest change", sources.engine.ledger.revision),
            ("waggle_access_callers", "Callers that access control remembers", len(sources.engine.access.callers)),
            ("waggle_hot_path_entries", "Answers that the hot path remembers", sources.hot.entries),
            ("waggle_outcome_versions", "Versions of services whose outcomes are kept", sources.engine.monitor.callees),
            ("waggle_monitor_instances", "Instances that data for dashboards is kept of", engine.dashboard.instances),
            ("waggle_monitor_interfaces", "Interfaces that it is kept of", engine.dashboard.interfaces),
            ("waggle_monitor_listeners", "Open streams of live data", sources.live.count),
            ("waggle_uptime_seconds", "Seconds since the start", time.monotonic() - self._started),
            ("waggle_open_files_limit", "Files the process may open", resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        )
        return [GaugeMetricFamily(name, about, value) for name, about, value in rows]

    def _counters(self) -> Iterable[Metric]:
        engine, watchers = self._sources.engine, self._sources.watchers
        rows = (
            ("waggle_journal_commits", "Journal transactions", engine.committer.commits),
            ("waggle_journal_events", "Events stored", engine.committer.events),
            ("waggle_journal_failures", "Journal transactions that failed", engine.committer.failures),
            ("waggle_leases_expired", "Instances that left because their lease was over", engine.expirations),
            ("service_center_notify_publish", "Events pushed to watchers", watchers.sockets.published),
            ("waggle_watchers_cut_off", "Watchers that did not read and were dropped", watchers.sockets.overflowed),
            ("waggle_config_polls_woken", "Requests whose wait a change ended", self._sources.pollers.woken),
            ("waggle_gray_rollbacks", "Gray releases that broke a bound and were rolled back", engine.rollbacks),
            ("waggle_outcome_calls", "Calls that consumers reported and that were counted", engine.monitor.calls),
            ("waggle_monitor_documents", "Documents for dashboards that were taken", engine.dashboard.documents),
            ("waggle_requests_unreadable", "Requests that were no HTTP", self._sources.server.unreadable),
            ("waggle_connections_refused", "Connections above max_connections", self._sources.server.refused),
        )
        yield from (CounterMetricFamily(name, about, value) for name, about, value in rows)
        kept = CounterMetricFamily("waggle_protections", "Instances kept although overdue", labels=("reason",))
        for reason, number in engine.protections.items():
            kept.add_metric((reason,), number)
        yield kept
        reports = CounterMetricFamily("waggle_outcome_reports", "Reports of consumers on their calls", labels=("kind",))
        reports.add_metric(("new",), engine.monitor.reports)
        reports.add_metric(("repeated",), engine.monitor.repeats)
        yield reports
        lost = CounterMetricFamily(
            "waggle_monitor_lost", "What uploaded documents had no room for, by what is kept", labels=("kind",)
        )
        lost.add_metric(("instance",), engine.dashboard.lost_instances)
        lost.add_metric(("interface",), engine.dashboard.lost_interfaces)
        yield lost
        refusals = CounterMetricFamily(
            "waggle_access_refusals", "Requests refused, or that would be", labels=("outcome", "reason")
        )
        for outcome, numbers in engine.access.callers.counts.items():
            for reason in REASONS:
                refusals.add_metric((outcome, reason), numbers[reason])
        yield refusals

    def _alarms(self) -> Iterable[Metric]:
        board, webhooks = self._sources.engine.alarming.board, self._sources.webhooks
        raised = GaugeMetricFamily("waggle_alarms", "Alarms that are raised", labels=("severity",))
        counts = collections.Counter(alarm.severity for alarm in board.everything())
        for severity in SEVERITIES:
            raised.add_metric((severity,), counts[severity])
        messages = CounterMetricFamily("waggle_webhook_messages", "Messages to webhooks", labels=("outcome",))
        for outcome, number in webhooks.counts.items():
            messages.add_metric((outcome,), number)
        return (
            raised,
            messages,
            CounterMetricFamily("waggle_alarms_raised", "Alarms that were raised", board.raised_total),
            CounterMetricFamily("waggle_alarms_refused", "Alarms above alarms_max", board.refused),
            GaugeMetricFamily("waggle_webhook_waiting", "Messages that wait for a webhook", webhooks.waiting),
        )

    def _answers_of_hot_path(self) -> Metric:
        family = CounterMetricFamily("waggle_hot_path_requests", "Requests answered by the hot path", labels=("api",))
        for api, number in self._sources.hot.served.items():
            family.add_metric((api,), number)
        return family


def _framework(service: Service) -> tuple[str, str]:
    framework = service.document.get("framework")
    known = framework if isinstance(framework, dict) else {}
    return str(known.get("name") or "UNKNOWN"), str(known.get("version") or "UNKNOWN")
