#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that no other tool checks. check_source.py RULE: prints every violation; exit 1 when there is one.

Rules are the functions below that take the list of tracked files.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
C_SUFFIXES = {".c", ".h", ".cpp", ".def", ".inc"}
FUNCTION_LINES, FILE_LINES = 60, 600


def tracked_files():
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                             check=True, stdout=subprocess.PIPE, text=True).stdout
    return [pathlib.Path(name) for name in sorted(listing.split("\0")) if name and (ROOT / name).is_file()]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def c_files(files, *folders):
    return [path for path in files if path.suffix in C_SUFFIXES and (not folders or path.parts[0] in folders)]


def strip_comments(text, keep_strings):
    """Blanks comments (and strings) but keeps the lines, so that line numbers stay right."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)

    def blank(match):
        found = match.group(0)
        if keep_strings and found[0] in "\"'":
            return found
        return re.sub(r"[^\n]", " ", found)

    return pattern.sub(blank, text)


def grep(path, text, pattern, message):
    for number, line in enumerate(text.splitlines(), 1):
        for match in pattern.finditer(line):
            yield f"{path}:{number}: {message.format(match.group(0).strip())}"


def spdx(files):
    """Every source file says its licence in its first three lines."""
    names = {"CMakeLists.txt", "Makefile", ".clang-format", ".clang-tidy"}
    suffixes = C_SUFFIXES | {".py", ".sh", ".cmake", ".map", ".in", ".supp", ".conf"}
    for path in files:
        script = not path.suffix and path.parts[0] in ("ci", ".ci")
        if path.name in names or path.suffix in suffixes or script:
            if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(read(path).splitlines()[:3]):
                yield f"{path}:1: no SPDX-License-Identifier: Apache-2.0 in the first three lines"


def banned(files):
    """Functions that overflow, lose errors or keep hidden state; arrays of variable length are -Wvla's."""
    pattern = re.compile(r"(?<![\w>.])(?:strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca)\s*\(")
    for path in c_files(files):
        yield from grep(path, strip_comments(read(path), False), pattern, "{0} is banned")


def includes(files):
    """Directions that never reverse; see "Directions" in CONTRIBUTING.md."""
    include = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
    for path in c_files(files, "hal", "kernels", "backends", "include", "examples", "tools"):
        for number, line in enumerate(read(path).splitlines(), 1):
            match = include.match(line)
            if match:
                for complaint in judge_include(path, match[1], match[2]):
                    yield f"{path}:{number}: {complaint}"


def judge_include(path, kind, name):
    top = path.parts[0]
    if name.startswith("../") and top != "tests":
        yield f"\"{name}\" climbs out of its folder"
    if top == "kernels" and not (name == "halyard/kernel.h" or (kind == '"' and (ROOT / "kernels" / name).is_file())):
        yield f"kernels include halyard/kernel.h and their own headers only, not {name}"
    if top == "backends" and kind == '"' and not own_header(path, name):
        yield f"backends include their own headers, those of backends/common and of kernels/ only, not {name}"
    if top == "include" and name.startswith("halyard/") and not (ROOT / "include" / name).is_file():
        yield f"{name} is not a public header"
    if top in ("tools", "examples") and kind == '"' and not beside(path, name):
        yield f"{top} use the public interface only, not {name}"
    if top == "hal" and kind == '"' and not any((ROOT / f / name).is_file() for f in ("hal", "kernels")):
        yield f"{name} is neither in hal/ nor in kernels/"


def beside(path, name):
    return (ROOT / path.parent / name).is_file()


def own_header(path, name):
    """In the backend's folder or below it, in backends/common, or an argument header of the operator kernels."""
    backend = ROOT / pathlib.Path(*path.parts[:2])
    if any(found.is_file() for found in (ROOT / path.parent / name, backend / name, ROOT / "backends/common" / name)):
        return True
    return (ROOT / "kernels" / name).is_file()


def vendors(files):
    """The core knows no vendor: a backend is a name to it, never a case."""
    pattern = re.compile(r"cuda|nvidia|ascend|huawei|opencl|\bcann\b|\bonednn\b|\bdnnl", re.IGNORECASE)
    for path in c_files(files, "hal"):
        yield from grep(path, strip_comments(read(path), True), pattern, "hal/ names {0}")


def lengths(files):
    """A function fits on a screen, a file in a head. Generated tables (.inc, the layout ledgers) are no reading matter."""
    for path in c_files(files):
        if path.suffix == ".inc" or path.name.startswith("ledger_"):
            continue
        lines = read(path).splitlines()
        if len(lines) > FILE_LINES:
            yield f"{path}:1: {len(lines)} lines, at most {FILE_LINES} are allowed"
        start = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                if number - start - 1 > FUNCTION_LINES:
                    yield f"{path}:{start}: a function of {number - start - 1} lines, at most {FUNCTION_LINES}"
                start = None


def exports(files):
    """What the headers declare, and nothing else, stands in the version script."""
    declared = set()
    for path in c_files(files, "include"):
        declared |= set(re.findall(r"HALY_API\s+[^;{]*?\b(haly_\w+)\s*\(", strip_comments(read(path), False)))
    text = strip_comments((ROOT / "hal/libhalyard.map").read_text(encoding="utf-8"), False)
    listed = set(re.findall(r"\b(haly_\w+);", text))
    for name in sorted(declared - listed):
        yield f"hal/libhalyard.map: lacks {name}, which a public header declares"
    for name in sorted(listed - declared):
        yield f"hal/libhalyard.map: lists {name}, which no public header declares"


def names(files):
    """A public function hands a callee's failure on under its own name: a bare return would lose it."""
    start = re.compile(r"^haly_status (haly_\w+)\(")
    good = re.compile(r"return (HALY_OK|HALY_NOT_READY|FAIL(_ERRNO)?\(|HAND_ON\(|(LIKELY\(.*\) \? HALY_OK : )?\w+\(__func__)")
    for path in c_files(files, "hal"):
        name = None
        for number, line in enumerate(strip_comments(read(path), True).splitlines(), 1):
            found = start.match(line)
            if found or line == "}":
                name = found.group(1) if found else None
            if name not in (None, "haly_error_last") and "return" in line and not good.search(line):
                yield f"{path}:{number}: {name} returns without HAND_ON or TRY: the detail would not name it"


RULES = {rule.__name__: rule for rule in (spdx, banned, includes, vendors, lengths, exports, names)}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in RULES:
        sys.exit(f"usage: check_source.py {'|'.join(RULES)}")
    violations = list(RULES[sys.argv[1]](tracked_files()))
    print("\n".join(violations))
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
