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
from tests.docs.walkthrough import ROOT

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
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "qwebhook.service"], capture_output=True, text=True, check=False
    )
    assert "qwebhook.service:" not in done.stderr, done.stderr
