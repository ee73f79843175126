#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the traces of a folder and fails on what no viewer could show.

    ci/check_traces.py FOLDER LEAST     exit 1 unless each is JSON, its events are whole, the commands of each stream
                                        follow each other, and there are at least so many commands with times
"""
import collections
import json
import pathlib
import sys

ROUNDING = 0.002  # microseconds: begin and duration are rounded apart


def judge(path):
    """What is wrong with a trace, and how many commands have times."""
    events = json.loads(path.read_text(encoding="utf-8"))
    ends = collections.defaultdict(float)
    timed = 0
    for event in events:
        if not {"ph", "name", "pid"} <= event.keys() or (event["ph"] != "M" and "ts" not in event):
            yield f"{path.name}: not whole: {event}"
        if event.get("cat") != "command":
            continue
        timed += 1
        track = event["pid"], event["tid"]
        if event["dur"] < 0 or event["ts"] < ends[track] - ROUNDING or "command" not in event["args"]:
            yield f"{path.name}: begins before the one in front of it ends, at {ends[track]}: {event}"
        ends[track] = event["ts"] + event["dur"]
    return timed


def main():
    folder, least = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    problems, timed, files = [], 0, sorted(folder.glob("*.json"))
    for path in files:
        found = judge(path)
        try:
            while True:
                problems.append(next(found))
        except StopIteration as done:
            timed += done.value
        except json.JSONDecodeError as error:
            problems.append(f"{path.name}: {error}")
    print("\n".join(problems[:20]))
    print(f"{len(files)} traces, {timed} commands with times, {len(problems)} problems")
    return 1 if problems or timed < least else 0


if __name__ == "__main__":
    sys.exit(main())
