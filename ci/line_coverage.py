#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""line_coverage.py LIMIT BUILD SOURCE…: the share of each source's lines that ran in a build with --coverage.

Prints the lines that did not run; exit 1 when a source stays below LIMIT percent or was not counted.
"""
import json
import pathlib
import subprocess
import sys

MOST_SHOWN = 40
ROOT = pathlib.Path(__file__).resolve().parent.parent


def lines_of(build, source):
    """Line number -> times it ran, over all objects that were made of the source."""
    times = {}
    for counts in build.rglob(f"{source.name}.gcda"):
        answer = subprocess.run(["gcov", "--json-format", "--stdout", str(counts)], cwd=build, check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for document in map(json.loads, answer.splitlines()):
            folder = pathlib.Path(document["current_working_directory"])
            for file in document["files"]:
                if (folder / file["file"]).resolve() == source:
                    for line in file["lines"]:
                        number = line["line_number"]
                        times[number] = times.get(number, 0) + line["count"]
    return times


def main():
    limit, build = float(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    is_good = True
    for name in sys.argv[3:]:
        source = (ROOT / name).resolve()
        times = lines_of(build, source)
        text = source.read_text(encoding="utf-8").splitlines()
        for number in sorted(number for number, count in times.items() if count == 0)[:MOST_SHOWN]:
            print(f"{name}:{number}: never ran: {text[number - 1].strip()}")
        share = 100 * sum(count > 0 for count in times.values()) / len(times) if times else 0
        print(f"{name}: {share:.1f} % of {len(times)} lines, at least {limit:g} % expected")
        is_good = is_good and share >= limit
    sys.exit(0 if is_good and sys.argv[3:] else 1)


if __name__ == "__main__":
    main()
