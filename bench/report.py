#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks one after the other, keeps what they print as CSV, draws charts, and writes the tables of
bench/README.md. To be run on a machine without other work; takes some five minutes.

    bench/report.py [--bin build/default/bin] [--out bench/results] [--only NAME…]
"""
import argparse
import csv
import datetime
import html
import io
import math
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "bench" / "README.md"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "halyard"
PAIR_FIELDS = ("what,unit,ours,ours_min,ours_max,peer,peer_median,peer_min,peer_max,ratio,ratio_min,ratio_max,goal,met"
               .split(","))


def output_of(command):
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{result.stderr}")
    sys.stderr.write(result.stderr)  # which peers were left out
    return result.stdout


def pair_rows(text):
    rows = [row for row in csv.DictReader(io.StringIO(text), PAIR_FIELDS) if row["what"] != "what"]
    if not rows:
        sys.exit("a benchmark printed no row")
    return rows


def markdown_rows(text):
    """The rows of the only table in a text, by their column's name."""
    lines = [line.strip("| \n") for line in text.splitlines() if line.startswith("|")]
    fields = [field.strip() for field in lines[0].split("|")]
    return [dict(zip(fields, (cell.strip() for cell in line.split("|")))) for line in lines[2:]]


def host_costs(options):
    return pair_rows(output_of([options.bin / "host_costs", "--csv"]))


def copies(options):
    return pair_rows(output_of([options.bin / "copies", "--csv"]))


def instructions(options):
    return markdown_rows(output_of([ROOT / "bench/call_instructions.py", "--bin", options.bin]))


def chat(options):
    python = CACHE / "venv/long/bin/python"
    rows = []
    for threads in (1, 2):
        text = output_of([python, ROOT / "bench/chat_vs_llama_cpp.py", "--chat", options.bin / "chat", "--threads", threads])
        rows += [{"threads": threads, **row} for row in markdown_rows(text)]
    return rows


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine(options):
    compiler = re.search(r"CMAKE_C_COMPILER:\w+=(.*)", (options.bin.parent / "CMakeCache.txt").read_text())[1]
    version = output_of([compiler, "--version"]).splitlines()[0]
    commit = output_of(["git", "-C", ROOT, "describe", "--always", "--dirty=, with changes"]).strip()
    return (f"{datetime.date.today()}, commit {commit}; {os.cpu_count()} virtual cores of {processor()}, "
            f"Linux {platform.release().split('-')[0]}, {version}")


# ---- tables ----

def span(row, name):
    return f"{row[name if name == 'ours' else name + '_median']} ({row[name + '_min']} to {row[name + '_max']})"


def pair_table(rows):
    lines = ["| what | unit | Halyard | peer | its figure | ratio of times | goal | met |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        goal = f"at most {row['goal']}" if row["goal"] else ""
        lines.append(f"| {row['what']} | {row['unit']} | {span(row, 'ours')} | {row['peer']} | {span(row, 'peer')} | "
                     f"{row['ratio']} ({row['ratio_min']} to {row['ratio_max']}) | {goal} | {row['met']} |")
    return lines


def plain_table(rows):
    fields = list(rows[0])
    lines = ["| " + " | ".join(fields) + " |", "|" + "---|" * len(fields)]
    return lines + ["| " + " | ".join(str(row[field]) for field in fields) + " |" for row in rows]


# ---- charts ----

WIDTH, LABELS, ROW, TOP = 980, 530, 24, 46
LEAST, MOST = 0.01, 4.0


def place(ratio):
    """On a logarithmic axis."""
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LABELS + share * (WIDTH - LABELS - 60)


def chart(title, rows):
    height = TOP + ROW * len(rows) + 12
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
             f'font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>',
             f'<text x="12" y="20" font-size="14" font-weight="bold">{html.escape(title)}</text>']
    for mark in (0.01, 0.03, 0.1, 0.3, 1, 3):
        colour = "#444444" if mark == 1 else "#dddddd"
        parts.append(f'<line x1="{place(mark):.0f}" x2="{place(mark):.0f}" y1="{TOP - 4}" y2="{height - 8}" stroke="{colour}"/>'
                     f'<text x="{place(mark):.0f}" y="{TOP - 8}" text-anchor="middle" fill="#555555">{mark}</text>')
    for i, row in enumerate(rows):
        y, end = TOP + ROW * i, place(float(row["ratio"]))
        goal = place(float(row["goal"])) if row["goal"] else 0
        figure = goal + 6 if end - 2 < goal < end + 44 else end + 6  # beside the goal's mark, not on it
        colour = {"yes": "#2a7f62", "no": "#c2571a", "": "#6c7a89"}[row["met"]]
        label = f"{row['what']}, beside {row['peer']}"
        parts.append(f'<text x="{LABELS - 8}" y="{y + 16}" text-anchor="end">{html.escape(label)}</text>'
                     f'<rect x="{LABELS}" y="{y + 4}" width="{end - LABELS:.1f}" height="{ROW - 9}" fill="{colour}"/>'
                     f'<text x="{figure:.1f}" y="{y + 16}">{row["ratio"]}</text>')
        if row["goal"]:
            parts.append(f'<line x1="{goal:.1f}" x2="{goal:.1f}" y1="{y + 1}" y2="{y + ROW - 2}" stroke="#000000" '
                         f'stroke-width="2"/>')
    return "\n".join(parts) + "\n</svg>\n"


# ---- putting it together ----

REPORTS = {"host_costs": (host_costs, pair_table, "Time relative to the peer's: launching, waiting, graphs, memory"),
           "copies": (copies, pair_table, "Time relative to the peer's: copies and fills"),
           "instructions": (instructions, plain_table, None),
           "chat": (chat, plain_table, None)}


def replace_section(text, name, lines):
    begin, end = f"<!-- {name}: written by report.py -->", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        sys.exit(f"bench/README.md has no section {name!r}")
    before, rest = text.split(begin)
    return before + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1]


def save(rows, path):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/default/bin")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results")
    parser.add_argument("--only", nargs="+", choices=list(REPORTS), default=list(REPORTS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    where = machine(options)
    for name in options.only:
        measure, table, title = REPORTS[name]
        rows = measure(options)
        save(rows, options.out / f"{name}.csv")
        lines = [f"Measured {where}.", "", *table(rows)]
        if title:
            (options.out / f"{name}.svg").write_text(chart(title, rows))
            lines = [f"![{title}](results/{name}.svg)", "", *lines]
        README.write_text(replace_section(README.read_text(), name, lines))
        print(f"{name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
