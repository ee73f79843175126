#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges a JSON report of halyard-cts beyond its exit code.

  cts_floor.py REPORT GROUP[,GROUP…]=N …   every verdict is pass or unsupported, and the groups together have at least N
                                           distinct cases that passed (a case in three kinds of context counts once)
  cts_floor.py --only-unsupported REPORT   nothing passed that needs a device, nothing failed, nothing was not run
"""
import json
import sys


def load(path):
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)["results"]


def only_unsupported(path):
    """Cases without a context check what the core alone decides, so they may pass on any backend."""
    results = load(path)
    bad = [r for r in results if r["verdict"] != "unsupported" and (r["verdict"] != "pass" or r["context"] in
                                                                    ("ordinary", "movable", "strict"))]
    unsupported = sum(r["verdict"] == "unsupported" for r in results)
    print(f"{len(results)} results, {unsupported} unsupported")
    for r in bad:
        print(f"{r['group']}.{r['name']} [{r['context']}]: {r['verdict']}: {r['reason']}")
    return not bad and unsupported > 0


def enough(path, floors):
    results = load(path)
    good = True
    for r in results:
        if r["verdict"] not in ("pass", "unsupported"):
            print(f"{r['group']}.{r['name']} [{r['context']}]: {r['verdict']}: {r['reason']}")
            good = False
    passed = {(r["group"], r["name"]) for r in results if r["verdict"] == "pass"}
    for floor in floors:
        groups, wanted = floor.split("=")
        count = sum(group in groups.split(",") for group, _ in passed)
        print(f"{groups}: {count} distinct cases passed, at least {wanted} wanted")
        good = good and count >= int(wanted)
    return good


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] == "--only-unsupported":
        good = only_unsupported(arguments[1])
    elif len(arguments) >= 2:
        good = enough(arguments[0], arguments[1:])
    else:
        sys.exit(__doc__)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
