# SPDX-License-Identifier: Apache-2.0
"""The bench works and says what it found; never how fast anything was."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

import conftest

FOLDER = pathlib.Path(__file__).parents[1] / "bench"
sys.path.insert(0, str(FOLDER))
import figures  # noqa: E402
import report  # noqa: E402

SHOWN = ("restart", "start", "serve", "storm", "stop", "echo", "stats", "fingerprint",
         "fingerprints", "version", "follow-cpu", "follow-lines", "watch-events")


def run_bench(*arguments):
    command = [sys.executable, str(FOLDER / "bench.py"), "--binary", conftest.BINARY, "--quick",
               "--rounds", "2", "--peer-rounds", "0", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        try:
            out, errors = process.communicate(timeout=240)
        finally:
            process.terminate()  # it then ends all it started
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


def probes():
    """What is supervised in a bench of this build."""
    program = str(pathlib.Path(conftest.BINARY).resolve().parent / "bench" / "probe")
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/exe") == program:
                found.append(int(pid))
    return found


def test_it_prints_and_writes_each_figure_beside_its_limit(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    result = run_bench("restart", "swarm", "websocket", "stats", "fingerprints", "version", "feeds", "--folder", tmp_path,
                       "--json", tmp_path / "bench.json", "--markdown", page)
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "bench.json").read_text())
    rows = {row["figure"]: row for row in written["figures"]}
    assert set(SHOWN) <= set(rows)
    for key in SHOWN:
        row = rows[key]
        assert row["title"] in result.stdout and row["title"] in page.read_text()
        for side in ("colony", "limit"):
            assert len(row[side]["rounds"]) == 2
            assert 0 < row[side]["min"] <= row[side]["median"] <= row[side]["max"]
        assert row["ratio"] == row["colony"]["median"] / row["limit"]["median"]
        assert row["verdict"] in (("ok", "misses") if row["target"] else ("",))
    assert page.read_text().startswith("before\n") and page.read_text().endswith("\nafter\n")
    assert "old" not in page.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json", "page.md"]
    assert not probes()


def test_it_counts_the_events_of_a_flood_on_both_sides(tmp_path):
    result = run_bench("events", "--folder", tmp_path, "--json", tmp_path / "bench.json")
    assert result.returncode == 0, result.stderr
    rows = {row["figure"]: row for row in json.loads((tmp_path / "bench.json").read_text())["figures"]}
    for key in ("events-udp", "events-udp-log"):
        for side in ("colony", "limit"):
            assert rows[key][side]["min"] > 0
            assert 0 <= rows[f"{key}-lost"][side]["min"] <= rows[f"{key}-lost"][side]["max"] < 100


def test_it_names_the_figures_when_it_does_not_know_one():
    result = run_bench("restarts")
    assert result.returncode == 2
    assert "cannot measure restarts: known are" in result.stderr and "storm" in result.stderr


@pytest.mark.parametrize("option, reason", [
    ("--markdown", "it has no <!-- bench: begin -->"),
    ("--json", "cannot use"),
])
def test_it_says_before_it_begins_what_it_cannot_write(tmp_path, option, reason):
    page = tmp_path / "page.md"
    page.write_text("no marks\n")
    result = run_bench("restart", option, page if option == "--markdown" else tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("bench: cannot") and reason in result.stderr
    assert "round" not in result.stderr and page.read_text() == "no marks\n"


@pytest.mark.parametrize("target, met, missed", [
    (figures.times(1.5), 1.5, 1.51),
    (figures.Target(0.9, least=True, of_limit=True), 0.9, 0.89),
    (figures.Target(1, strictly=True), 0.99, 1.0),
    (figures.Target(0), 0, 1),
])
def test_a_target_says_what_meets_it(target, met, missed):
    assert target.is_met(met) and not target.is_met(missed)


def test_a_figure_without_its_limit_is_said_to_be_not_measured():
    figure = next(figure for figure in figures.FIGURES if figure.key == "status")
    row = report.make_row(figure, figures.Scale(), {"colony": [20000.0, 21000.0]})
    assert row["verdict"] == "not measured" and row["limit"] is None
    assert "not measured" in report.text_table([row])
