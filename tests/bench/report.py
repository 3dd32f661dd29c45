# SPDX-License-Identifier: Apache-2.0
"""The one table, for people, for programs and for the documentation."""

import os
import pathlib
import platform
import subprocess
import time

import look
from figures import FIGURES

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def summary(values):
    return {"median": look.median(values), "min": min(values), "max": max(values),
            "rounds": values}


def judge(figure, colony, ratio):
    """"ok", "misses", "not measured", or nothing where there is no target."""
    if not figure.target:
        return ""
    value = ratio if figure.target.of_limit else colony
    if value is None:
        return "not measured"
    return "ok" if figure.target.is_met(value) else "misses"


def make_row(figure, scale, results):
    summaries = {who: summary(values) for who, values in results.items()}
    colony, limit = summaries.pop("colony", None), summaries.pop("limit", None)
    ratio = None
    if colony and limit and limit["median"] > 0:
        ratio = colony["median"] / limit["median"]
    return {
        "figure": figure.key, "title": figure.title.format(**vars(scale)), "unit": figure.unit,
        "colony": colony, "limit": limit, "ratio": ratio,
        "target": figure.target.text() if figure.target else None,
        "verdict": judge(figure, colony and colony["median"], ratio), "others": summaries,
    }


def make_rows(bench, wanted):
    return [make_row(figure, bench.scale, bench.results.get(figure.key, {}))
            for figure in FIGURES if figure.key in wanted]


def machine(binary):
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    version = subprocess.run([str(binary), "version"], capture_output=True, text=True, check=True)
    return {"processor": model, "processors": os.cpu_count(), "memory_gib": round(memory / 2**30, 1),
            "kernel": platform.release(), "colony": version.stdout.strip(),
            "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}


def number(value):
    """Three figures are what such a measurement is good for."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(result):
    if not result:
        return ""
    text = number(result["median"])
    if len(result["rounds"]) > 1:
        text += f" ({number(result['min'])}–{number(result['max'])})"
    return text


HEADINGS = ("figure", "unit", "colony", "limit", "ratio", "target", "", "others")


def cells(row):
    others = ", ".join(f"{who} {number(result['median'])}"
                       for who, result in row["others"].items())
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f} ×"
    return (row["title"], row["unit"], spread(row["colony"]), spread(row["limit"]), ratio,
            row["target"] or "", row["verdict"], others)


def text_table(rows):
    lines = [HEADINGS, *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    right = {2, 3, 4}
    return "\n".join("  ".join(cell.rjust(width) if i in right else cell.ljust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)


def about(report):
    it = report["machine"]
    return (f"{it['colony']}, {it['time']}: {it['processor']}, {it['processors']} processors, "
            f"{it['memory_gib']} GiB, Linux {it['kernel']}. Rounds: {report['rounds']}. Others had "
            f"{report['busy_percent']['median']:.0f} % of the processors "
            f"(at most {report['busy_percent']['max']:.0f} %).")


def markdown(report):
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in report["figures"]]
    return "\n".join([about(report), "", *lines, "", *(f"- {note}" for note in report["notes"])])


def split_page(path):
    """What stands before and after the two marks."""
    text = path.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"cannot write the table into {path}: it has no {BEGIN} … {END}")
    return head, tail


def write_markdown(path, report):
    head, tail = split_page(path)
    new = path.with_name(path.name + ".new")
    new.write_text(f"{head}{BEGIN}\n{markdown(report).strip()}\n{END}{tail}", encoding="utf-8")
    new.replace(path)
