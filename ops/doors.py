#!/usr/bin/env python3
"""Judges what operators are given for the doors – alerts, tests, runbook, dashboard – by the code,
and by the page of a broker that plays all roles and has sold books.

Usage: ops/doors.py PAGE PROGRAM ARGUMENT…

Runs PROGRAM (the demo, told to keep its files in an empty directory), and leaves the last page of
metrics that its broker showed in PAGE.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

DOORS = ("gateway", "bridge", "notifier")
ALERTS = "ops/prometheus/doors.yml"
TESTS = "ops/prometheus/doors.test.yml"
RUNBOOK = "ops/runbooks/doors.md"
BOARD = "ops/grafana/doors.json"

# What nobody can show who has no customer that follows events, wants mail or a webhook, or comes
# too often. That the code shows it is judged all the same.
NOT_IN_A_SALE = (
    "broker_bridge_questions_dropped_total",
    "broker_gateway_event_clients",
    "broker_gateway_event_clients_lagged_total",
    "broker_gateway_refused_total",
    "broker_notifier_attempt_duration_seconds",
    "broker_notifier_attempts_total",
    "broker_notifier_breaker_switches_total",
    "broker_notifier_conflicts_total",
    "broker_notifier_deliveries_total",
    "broker_notifier_delivered_total",
    "broker_notifier_delivery_age_seconds",
    "broker_notifier_failed_total",
    "broker_notifier_notifications_given_up_total",
)
NAME = re.compile(r"\bbroker_(?:gateway|bridge|notifier)_[a-z_]+\b")
OF_HISTOGRAM = re.compile(r"_(?:bucket|sum|count)$")
# What the scrape and the histogram add to the labels of the code.
OF_SCRAPE = {"job", "instance", "le"}

wrong: list[str] = []


def must(holds: bool, otherwise: str) -> None:
    if not holds:
        wrong.append(otherwise)


def read(path: str) -> str:
    return pathlib.Path(path).read_text(encoding="utf-8")


def declared() -> set[str]:
    """The names that the doors' own code has for metrics."""
    texts = [read(f"broker/{door}/src/metrics.rs") for door in DOORS]
    return {name for text in texts for name in re.findall(r'"(broker_[a-z_]+)"', text)}


def names(text: str, known: set[str]) -> set[str]:
    found = NAME.findall(text)
    return {name if name in known else OF_HISTOGRAM.sub("", name) for name in found}


def judge_names(known: set[str]) -> None:
    for path in (ALERTS, TESTS, RUNBOOK, BOARD):
        unknown = names(read(path), known) - known
        must(not unknown, f"{path} names metrics that no door shows: {sorted(unknown)}")
    unseen = known - names(read(BOARD), known)
    must(not unseen, f"{BOARD} lacks {sorted(unseen)}")


def judge_alerts() -> None:
    text, tests = read(ALERTS), read(TESTS)
    alerts = set(re.findall(r"^ +- alert: (\w+)$", text, re.M))
    headings = set(re.findall(r"^## (\w+)$", read(RUNBOOK), re.M))
    must(len(alerts) > 5, f"only {sorted(alerts)} were found in {ALERTS}")
    must(alerts == headings, f"alerts and headings of {RUNBOOK}: {sorted(alerts ^ headings)}")
    for alert in sorted(alerts):
        link = f"/{RUNBOOK}#{alert.lower()}\n"
        must(link in text, f"{alert} lacks a runbook_url that ends with {link}")
        silent = f"alertname: {alert}, exp_alerts: [] }}" in tests
        fires = re.search(rf"alertname: {alert}\n +exp_alerts:\n", tests) is not None
        must(silent and fires, f"{alert}: tested to fire {fires}, to stay silent {silent}")


def judge_board() -> None:
    panels = json.loads(read(BOARD))["panels"]
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    must(rows == ["Gateway", "Bridge", "Notifier"], f"rows of {BOARD}: {rows}")
    shown = [panel for panel in panels if panel["type"] != "row"]
    titles = [panel["title"] for panel in shown]
    must(len(set(titles)) == len(titles), f"two panels of {BOARD} have one title: {titles}")
    for panel in shown:
        unit = panel["fieldConfig"]["defaults"].get("unit")
        whole = panel.get("description") and unit and panel.get("targets")
        must(bool(whole), f"{BOARD}: {panel['title']} lacks description, unit or target")


def labels_asked(text: str) -> dict[str, set[str]]:
    """By which labels each metric is selected."""
    asked: dict[str, set[str]] = {}
    for name, selector in re.findall(r"\b(broker_[a-z_]+)\{([^}]*)\}", text):
        labels = set(re.findall(r"(\w+)(?:=|!=|=~|!~)\\?\"", selector)) - OF_SCRAPE
        asked.setdefault(OF_HISTOGRAM.sub("", name), set()).update(labels)
    return asked


def judge_page(page: str, known: set[str]) -> None:
    labels: dict[str, set[str]] = {}
    for name, selector in re.findall(r"^(broker_[a-z_]+)(?:\{(.*)\})? ", page, re.M):
        shown = set(re.findall(r'(\w+)="', selector)) - OF_SCRAPE
        labels.setdefault(OF_HISTOGRAM.sub("", name), set()).update(shown)
    missing = known - set(labels) - set(NOT_IN_A_SALE)
    must(not missing, f"the page lacks {sorted(missing)}")
    must(set(NOT_IN_A_SALE) <= known, f"no door has {sorted(set(NOT_IN_A_SALE) - known)}")
    strange = {name for name in labels if NAME.fullmatch(name)} - known
    must(not strange, f"the page has names that no code has: {sorted(strange)}")
    for path in (ALERTS, TESTS, BOARD):
        for name, asked in labels_asked(read(path)).items():
            extra = asked - labels.get(name, asked)
            must(not extra, f"{path}: {name} has no label {sorted(extra)}")


def page_of(program: list[str]) -> str:
    """The last page that the program's broker showed."""
    page = ""
    with tempfile.TemporaryDirectory() as scratch:
        log = pathlib.Path(scratch, "log")
        kept = pathlib.Path(scratch, "kept")
        with log.open("w", encoding="utf-8") as out:
            running = subprocess.Popen([*program, "--keep", kept], stdout=out, stderr=out)
        try:
            while running.poll() is None:
                page = look(kept / "broker.toml") or page
                time.sleep(0.2)
        finally:
            running.kill()
            running.wait()
        if running.returncode != 0:
            sys.exit(f"{program} ended with {running.returncode}:\n{log.read_text()}")
    return page


def look(config: pathlib.Path) -> str:
    """Nothing, while the broker is not there yet or any more."""
    try:
        address = re.search(r'^http_bind = "(.+)"$', config.read_text(), re.M)
        if address is None:
            return ""
        with urllib.request.urlopen(f"http://{address[1]}/metrics", timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def main() -> None:
    known = declared()
    must(len(known) > 30, f"only {len(known)} metrics of the doors were found in the code")
    judge_names(known)
    judge_alerts()
    judge_board()
    page = page_of(sys.argv[2:])
    pathlib.Path(sys.argv[1]).write_text(page, encoding="utf-8")
    judge_page(page, known)
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(known)} metrics of the doors, all known, shown and on the dashboard")


main()
