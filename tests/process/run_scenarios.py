#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs process scenarios, each as a process of its own, and counts the clean ends.

run_scenarios.py FOLDER --runs N [--jobs J] [--seconds S] [--timeout T] [--only TEXT]

FOLDER holds process_scenarios and process_unload. At least N runs are spread over all scenarios, each scenario as often as
every other. For each it prints a line "verdict<TAB>name<TAB>reason", verdict pass, fail or, for one that this build cannot run, skip;
what a failed run wrote goes to standard error. A run is clean when it ends by itself with exit status 0 within the time limit; a sanitizer's finding ends a
run otherwise. Exit status 1 when a run was not clean.
"""
import argparse
import concurrent.futures
import os
import signal
import subprocess
import sys


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=int, default=1, help="how long crowds work")
    parser.add_argument("--timeout", type=int, default=180, help="seconds after which a run hangs")
    parser.add_argument("--only", default="", help="part of the names of the scenarios to run")
    return parser.parse_args()


def all_commands(arguments):
    """Name and command of each scenario on each backend that it knows; a text for one that cannot be run."""
    program = os.path.join(arguments.folder, "process_scenarios")
    listing = subprocess.run([program, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout
    commands = {}
    for line in listing.splitlines():
        name, backend, *obstacle = line.split(maxsplit=2)
        commands[f"{name.replace('_', ' ')} ({backend})"] = (
            obstacle[0] if obstacle else [program, name, backend, str(arguments.seconds)])
    for backend in ("cpu", "manual"):
        commands[f"a library is closed while libhalyard works ({backend})"] = [
            os.path.join(arguments.folder, "process_unload"), backend]
    return {name: command for name, command in commands.items() if arguments.only in name}


def run_once(command, timeout):
    """The reason why the run was not clean, or "", and what it wrote."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return f"not ended after {timeout} s", output
    if process.returncode < 0:
        return f"ended by {signal.Signals(-process.returncode).name}", output
    return (f"exit status {process.returncode}" if process.returncode else ""), output


def report(name, results):
    bad = [(reason, output) for reason, output in results if reason]
    for _, output in bad[:2]:
        sys.stderr.write(f"---- {name}\n{output.decode(errors='replace')}\n")
    if bad:
        print(f"fail\t{name}\t{len(bad)} of {len(results)} runs, the first: {bad[0][0]}", flush=True)
    else:
        print(f"pass\t{name}\t{len(results)} runs", flush=True)
    return len(bad)


def main():
    arguments = parse_arguments()
    commands = all_commands(arguments)
    for name in [name for name, command in commands.items() if isinstance(command, str)]:
        print(f"skip\t{name}\t{commands.pop(name)}")
    if not commands:
        sys.exit("no such scenario")
    each = -(-arguments.runs // len(commands))
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        # Round by round, so that those that run side by side differ.
        futures = {name: [] for name in commands}
        for _ in range(each):
            for name, command in commands.items():
                futures[name].append(pool.submit(run_once, command, arguments.timeout))
        for name, pending in futures.items():
            failures += report(name, [future.result() for future in pending])
    print(f"total\t{each * len(commands)} runs of {len(commands)} scenarios\t{failures} were not clean", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
