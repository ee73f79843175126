#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the manual pages of a build with what its programs say of themselves. Prints what differs; exit 1 then.

    ci/man_pages.py BUILD lint         mandoc finds nothing to complain of
    ci/man_pages.py BUILD options      the options and commands of --help, and no others
    ci/man_pages.py BUILD variables    the variables of `halyard info --env` with their defaults, and no others
    ci/man_pages.py BUILD example      writes the program that libhalyard(7) shows to standard output
"""
import pathlib
import re
import subprocess
import sys

# What depends on the machine mandoc runs on, not on the page.
LINT_IGNORES = ("referenced manual not found", "operating system explicitly specified")
WIDE = "1000"  # no word is broken, and each paragraph is one line


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def page(build, name):
    return build / "man" / name


def rendered(build, name):
    text = run("mandoc", "-T", "utf8", "-O", f"width={WIDE}", page(build, name))
    return re.sub(r".\x08", "", text)


def compare(what, page_name, documented, real):
    for name in sorted(real - documented):
        yield f"{page_name} lacks {what} {name}"
    for name in sorted(documented - real):
        yield f"{page_name} has {what} {name}, which does not exist"


def options_in(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def compare_options(build, name, real):
    """Each has an item of its own, and examples use no other."""
    items = re.findall(r"^\.It Fl (-[a-z-]+)", page(build, name).read_text(encoding="utf-8"), re.M)
    yield from compare("an item for", name, {f"-{item}" for item in items}, real)
    for other in sorted(options_in(rendered(build, name)) - real):
        yield f"{name} speaks of {other}, which does not exist"


def lint(build):
    for path in sorted((build / "man").glob("*.[17]")):
        found = subprocess.run(["mandoc", "-T", "lint", "-W", "style", path], stdout=subprocess.PIPE, check=False,
                               text=True).stdout
        yield from (line for line in found.splitlines() if not any(ignored in line for ignored in LINT_IGNORES))


def options(build):
    tool = build / "bin" / "halyard"
    overview = run(tool, "--help")
    commands = set(re.findall(r"^  ([a-z]+) {2,}\S", overview, re.M))
    described = set(re.findall(r"^\.It Cm (\S+)", page(build, "halyard.1").read_text(encoding="utf-8"), re.M))
    yield from compare("an item for", "halyard.1", described, commands)
    real = options_in(overview).union(*(options_in(run(tool, name, "--help")) for name in commands - {"cts"}))
    yield from compare_options(build, "halyard.1", real)
    yield from compare_options(build, "halyard-cts.1", options_in(run(build / "bin" / "halyard-cts", "--help")))


def variables(build):
    listing = run(build / "bin" / "halyard", "info", "--env")
    defaults = dict(re.findall(r"^(HALYARD_[A-Z0-9_]+)=.*\n.*\n +default +(.*)$", listing, re.M))
    text = rendered(build, "libhalyard.7")
    items = dict(re.findall(r"^ +(HALYARD_[A-Z0-9_]+)\n(.*)$", text, re.M))
    yield from compare("an item for", "libhalyard.7", set(items), set(defaults))
    for name in sorted(set(items) & set(defaults)):
        if defaults[name] != "none" and not re.search(rf"\b{re.escape(defaults[name])}\b", items[name]):
            yield f"libhalyard.7 does not give {name} its default, {defaults[name]}"
    for name in ("halyard.1", "halyard-cts.1", "libhalyard.7"):
        for other in sorted(set(re.findall(r"HALYARD_[A-Z0-9_]+", rendered(build, name))) - set(defaults)):
            yield f"{name} speaks of {other}, which does not exist"


def example(build):
    source = page(build, "libhalyard.7").read_text(encoding="utf-8")
    shown = re.search(r"^\.Bd -literal\n(#include.*?)^\.Ed$", source, re.M | re.S)
    sys.stdout.write(shown.group(1).replace("\\e", "\\"))
    return ()


def main():
    checks = {check.__name__: check for check in (lint, options, variables, example)}
    if len(sys.argv) != 3 or sys.argv[2] not in checks:
        sys.exit(__doc__)
    complaints = list(checks[sys.argv[2]](pathlib.Path(sys.argv[1])))
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    sys.exit(1 if complaints else 0)


main()
