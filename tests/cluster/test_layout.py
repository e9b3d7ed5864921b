"""The files of the production layout fit the software and each other."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from typer.testing import CliRunner

from dissco_platform.cli.main import app
from dissco_platform.settings import Settings
from tests.house import REPOSITORY

PRODUCTION = REPOSITORY / "deploy" / "production"
SETTINGS = {f"DISSCO_{name.upper()}" for name in Settings.model_fields}
PROCESSES = yaml.safe_load((PRODUCTION / "chart" / "values.yaml").read_text())["processes"]
SERVICES = yaml.safe_load((PRODUCTION / "compose.yaml").read_text())["services"]


def locked(path: Path) -> set[str]:
    return set(re.findall(r"^([\w.\[\]-]+==[^\s;\\]+)", path.read_text(), re.MULTILINE))


def test_what_production_installs_is_what_is_tested() -> None:
    production, all_of_it = locked(PRODUCTION / "requirements.lock"), locked(REPOSITORY / "requirements.lock")
    assert {name.split("==")[0] for name in production} >= {"dagster-celery", "polars", "obstore"}
    assert production <= all_of_it
    assert not {line for line in production if line.startswith(("pytest", "moto", "playwright"))}


@pytest.mark.parametrize("file", ["compose.yaml", "chart/values.yaml", "Containerfile", "dagster.yaml"])
def test_every_setting_that_the_layout_names_exists(file: str) -> None:
    named = set(re.findall(r"\bDISSCO_[A-Z_]+\b", (PRODUCTION / file).read_text()))
    assert named <= SETTINGS


@pytest.mark.parametrize(
    "command",
    [
        *(service["command"] for name, service in SERVICES.items() if name not in {"postgres", "broker"}),
        *(process["command"] for process in PROCESSES.values()),
    ],
    ids=" ".join,
)
def test_every_command_of_the_layout_is_one(command: list[str]) -> None:
    words = [word for word in command if not word.startswith("-")]
    names = words[:2] if words[0] in {"serve", "registry"} else words[:1]
    shown = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    for option in (word for word in command if word.startswith("--")):
        assert option in shown.output


def test_compose_and_chart_run_the_same_processes() -> None:
    assert set(PROCESSES) == set(SERVICES) - {"postgres", "broker", "migrate"}
    for name, process in PROCESSES.items():
        assert process["command"][:2] == SERVICES[name]["command"][:2]
        assert process["resources"]["limits"]["memory"]
        assert SERVICES[name]["deploy"]["resources"]["limits"]["memory"]


def test_runs_at_once_are_as_many_as_worker_processes() -> None:
    values = yaml.safe_load((PRODUCTION / "chart" / "values.yaml").read_text())
    slots = 0
    for process in values["processes"].values():
        if "worker" in process["command"]:
            command = process["command"]
            each = int(command[command.index("--concurrency") + 1]) if "--concurrency" in command else 1
            slots += each * process["replicas"]
    assert values["maxConcurrentRuns"] == slots


def test_dashboards_and_alerts_ask_for_figures_that_exist() -> None:
    from dissco_platform.cluster.metrics import described

    figures = CollectorRegistry()
    figures.register(described())
    known = set(re.findall(r"^# TYPE (\w+) ", generate_latest(figures).decode(), re.MULTILINE))
    dashboard = json.loads((PRODUCTION / "grafana.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((PRODUCTION / "alerts.yaml").read_text())["groups"][0]["rules"]
    for expression in [*asked, *(rule["expr"] for rule in rules)]:
        assert set(re.findall(r"\bdissco_\w+", expression)) <= known, expression
