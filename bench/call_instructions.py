#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions that public calls execute, counted by callgrind: those of libhalyard, which the core adds, apart from the
backend's and the C library's. Counts are exact: the difference between two numbers of calls, divided by that of the
calls. Exit code 1 when a call adds more than --limit.

    bench/call_instructions.py [--bin build/default/bin] [--limit 40] [CALL…]
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEW, MANY = 2000, 6000


def self_costs(text):
    """Instructions of each object file, without those of functions that they call."""
    costs = collections.Counter()
    names, current, skip = {}, "", False
    for line in text.splitlines():
        match = re.match(r"(c?)ob=\((\d+)\)(?: (.*))?$", line)
        if match:
            if match[3]:
                names[match[2]] = match[3]
            if not match[1]:
                current = names[match[2]]
        elif line.startswith("calls="):
            skip = True  # the next line is what the called function took
        elif re.match(r"[+\-*\d]", line):
            if not skip:
                costs[current] += int(line.split()[-1])
            skip = False
    return costs


def run(program, call, count):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet", str(program), call, str(count)]
        result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if result.returncode != 0:
            sys.exit(f"call_loop {call} failed:\n{result.stderr}")
        return self_costs(out.read_text())


def per_call(program, call):
    few, many = run(program, call, FEW), run(program, call, MANY)
    kinds = collections.Counter()
    for name in many:
        base = pathlib.Path(name).name
        kind = "core" if base.startswith("libhalyard.so") else "backend" if "backend" in base else "rest"
        if not base.startswith("call_loop") and not base.endswith(".halo"):
            kinds[kind] += (many[name] - few[name]) / (MANY - FEW)
    return kinds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/default/bin")
    parser.add_argument("--limit", type=float, default=0, help="most instructions that the core may add; 0: no limit")
    parser.add_argument("calls", nargs="*")
    options = parser.parse_args()
    program = options.bin / "call_loop"
    listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    unknown = set(options.calls) - set(listed)
    if unknown:
        sys.exit(f"unknown call {min(unknown)!r}; there are: {' '.join(listed)}")
    too_many = False
    print("| call | core | backend | C library |\n|---|---|---|---|")
    for call in options.calls or listed:
        counts = per_call(program, call)
        too_many |= 0 < options.limit < counts["core"]
        print(f"| {call} | {counts['core']:.1f} | {counts['backend']:.1f} | {counts['rest']:.1f} |", flush=True)
    return 1 if too_many else 0


if __name__ == "__main__":
    sys.exit(main())
