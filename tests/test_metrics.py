"""Figures: what is counted is what Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from fastws._core.line import Cork, Line
from fastws.metrics import BUCKETS, Histogram, Stats, exposition


def read(stats: Stats) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = exposition(
        stats,
        {"subscriptions": ("Subscriptions", lambda: 4)},
        {"auth": ("Auth", ("source", "outcome"), lambda: {("header", "ok"): 2})},
    )().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_counters_become_metrics() -> None:
    stats = Stats()
    stats.opened("monitor")
    stats.opened("monitor")
    stats.closed("monitor", 1000)
    traffic = stats.traffic("monitor")
    traffic.received, traffic.received_bytes = 1, 10
    line = Line(Cork(lambda step: None), lambda data: None)
    line.traffic = stats.traffic("monitor")
    line.send(b"x" * 30)
    stats.error("monitor", "X")
    stats.limited("monitor", "messages")
    stats.command("monitor", "ping", 0.0003)
    found = read(stats)
    assert found[key("fastws_connections", endpoint="monitor")] == 1
    assert found[key("fastws_closes_total", endpoint="monitor", code="1000")] == 1
    assert found[key("fastws_received_bytes_total", endpoint="monitor")] == 10
    assert found[key("fastws_sent_bytes_total", endpoint="monitor")] == 30
    assert found[key("fastws_errors_total", endpoint="monitor", code="X")] == 1
    assert found[key("fastws_limiter_rejections_total", endpoint="monitor", bucket="messages")] == 1
    assert found[key("fastws_subscriptions")] == 4
    assert found[key("fastws_auth_total", source="header", outcome="ok")] == 2
    labels = {"endpoint": "monitor", "command": "ping"}
    assert found[key("fastws_command_seconds_count", **labels)] == 1
    assert found[key("fastws_command_seconds_bucket", **labels, le="0.00025")] == 0
    assert found[key("fastws_command_seconds_bucket", **labels, le="0.0005")] == 1


def test_a_histogram_knows_its_quantiles() -> None:
    histogram = Histogram()
    assert histogram.quantile(0.5) == 0
    for _ in range(99):
        histogram.observe(0.0002)
    histogram.observe(9.0)
    assert histogram.quantile(0.5) == 0.00025
    assert histogram.quantile(0.999) == BUCKETS[-1]
    assert histogram.count == 100


def test_a_figure_that_cannot_be_read_does_not_hide_the_others() -> None:
    def broken() -> float:
        raise RuntimeError("no")

    gauges = {"broken": ("Broken", broken), "fine": ("Fine", lambda: 1.0)}
    states = {"feed": ("Feed", ("source", "state"), lambda: {("simulated", "live"): 1})}
    text = exposition(Stats(), gauges, {}, states)().decode()
    assert "fastws_broken" not in text
    assert "fastws_fine 1.0" in text
    assert 'fastws_feed{source="simulated",state="live"} 1.0' in text


def test_two_servers_in_a_process_have_figures_of_their_own() -> None:
    one, two = Stats(), Stats()
    one.opened("monitor")
    assert read(one)[key("fastws_connections", endpoint="monitor")] == 1
    assert key("fastws_connections", endpoint="monitor") not in read(two)


def test_clients_cannot_make_up_labels() -> None:
    stats = Stats()
    for code in range(3000, 5000):
        stats.closed("test", code)
    codes = {dict(labels)["code"] for name, labels in read(stats) if name == "fastws_closes_total"}
    assert "other" in codes
    assert len(codes) < 30
