"""The files for operators: they fit what the server shows and takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from qwebhook.server.metrics import Metrics
from tests.docs.walkthrough import ROOT, SERVE, block

FOLDER = ROOT / "docs" / "operating"
NAME = re.compile(r"qwebhook_[a-z_]+")


def exposed() -> set[str]:
    metrics = Metrics()
    metrics.source_lag("audits:prod", lambda: 0.0)
    metrics.source_skipped("audits:prod", "unreadable")
    names = re.findall(r"(?m)^# TYPE (\w+) (\w+)$", metrics.text().decode())
    return {name for name, _ in names} | {f"{name}_bucket" for name, kind in names if kind == "histogram"}


def expressions(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [text for name, text in value.items() if name in ("expr", "query") and isinstance(text, str)]
        return own + [text for one in value.values() for text in expressions(one)]
    return [text for one in value for text in expressions(one)] if isinstance(value, list) else []


def test_alerts_and_dashboard_ask_for_metrics_that_there_are() -> None:
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    for rule in rules["groups"][0]["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    asked = {name for text in expressions(rules) + expressions(dashboard) for name in NAME.findall(text)}
    assert asked <= exposed()
    shown = {name for text in expressions(dashboard) for name in NAME.findall(text)}
    assert exposed() - shown <= {"qwebhook_delivery_seconds", "qwebhook_attempt_seconds"}


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Any) -> None:
    unit = (FOLDER / "qwebhook.service").read_text().replace("/opt/qwebhook/bin/qwebhook", "/bin/true")
    (tmp_path / "qwebhook.service").write_text(unit)
    beside = tmp_path / "qwebhook.service.d" / "override.conf"
    beside.parent.mkdir()
    beside.write_text(block(SERVE, "ini").text.replace("/opt/qwebhook/bin/qwebhook", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "qwebhook.service"], capture_output=True, text=True, check=False
    )
    assert "qwebhook.service:" not in done.stderr, done.stderr
    assert beside.name not in done.stderr, done.stderr
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", tmp_path / "qwebhook.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # Those before 250 cannot rate a file.
    assert rated.returncode == 0 or "offline" in rated.stderr, rated.stdout + rated.stderr


# Two hours of trouble, as each rule has it, and what comes of it: an alert from the minute that it fires on.
TROUBLE = [
    ("QwebhookDown", 3, 'up{job="qwebhook"}', "0x120"),
    ("QwebhookRefusesEvents", 9, "qwebhook_requests_refused_total", "0+1x120"),
    ("QwebhookStoreFails", 2, "qwebhook_store_failures_total", "0 1x119"),
    ("QwebhookDeliveriesLate", 80, "qwebhook_oldest_pending_seconds", "0+60x120"),
    ("QwebhookQueueGrows", 45, "qwebhook_queue_depth", "0+1000x120"),
    ("QwebhookReceiverDown", 12, 'qwebhook_breakers{state="open"}', "1x120"),
    ("QwebhookDeliveriesDead", 2, 'qwebhook_attempts_total{outcome="dead"}', "0 1x119"),
    ("QwebhookSourceDeaf", 17, 'qwebhook_source_lag_seconds{source="audits:prod"}', "0+60x120"),
]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_alert_rules_and_each_fires(tmp_path: Any) -> None:
    rules = FOLDER / "alerts.yml"
    names = [rule["alert"] for rule in yaml.safe_load(rules.read_text())["groups"][0]["rules"]]
    assert names == [name for name, *_ in TROUBLE]
    # What an alert says has to be expected word for word, so that only those are asked for that say nothing.
    silent = re.sub(r"(?m)^ +annotations:\n +summary: .*\n", "", rules.read_text())
    (tmp_path / "alerts.yml").write_text(silent)
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values}],
            "alert_rule_test": [
                {"alertname": name, "eval_time": "0m", "exp_alerts": []},
                {"alertname": name, "eval_time": f"{minutes}m", "exp_alerts": [{"exp_labels": labels(name, series)}]},
            ],
        }
        for name, minutes, series, values in TROUBLE
    ]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": ["alerts.yml"], "tests": tests}))
    for arguments in (["check", "rules", rules], ["test", "rules", tmp_path / "tests.yml"]):
        done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def labels(name: str, series: str) -> dict[str, str]:
    """Those of an alert: the series' own, and how severe it is."""
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
    (rule,) = (rule for rule in rules if rule["alert"] == name)
    own = dict(re.findall(r'(\w+)="([^"]*)"', series))
    return own | dict(rule["labels"])
