#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the conformance suite notice the defects of tests/defects/defects.def?

  defects.py check BUILD         each defect makes the case fail that the list names for it
  defects.py count BUILD         the whole suite for each defect: how many cases notice it
  defects.py places              every defect has a place, and every file that should have one has a defect or a reason

BUILD is a build folder with HALYARD_PLANTED_DEFECTS. Prints a line for each test, "verdict TAB name TAB reason", on
standard output, and what people want to read on standard error.
"""
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "tests/defects/defects.def"
# What the list speaks for. A defect may also stand in the file's header, or in a kernel's *_body.h.
COVERED = ("backends/cpu/*.c", "kernels/*.haly.c", "hal/allocator*.c", "hal/free_pool.c", "hal/memory*.c",
           "hal/pending.c", "hal/segment.c")
MARK = re.compile(r"\bPLANTED(?:_OR)?\(\s*(\w+)")
# A reason that an expectation of the case gave: "case_copy.c:17: ...". Crashes and time-outs read differently.
EXPECTATION = re.compile(r"^\w+\.c:\d+: ")


@dataclasses.dataclass
class Defect:
    name: str
    breaks: str
    case: str
    settings: dict


def read_list():
    text = re.sub(r"/\*.*?\*/", "", LIST.read_text(encoding="utf-8"), flags=re.DOTALL)
    rows = re.findall(r'\bDEFECT\(\s*(\w+),\s*"([^"]*)",\s*"([^"]*)",\s*"([^"]*)"\)', text)
    reasons = dict(re.findall(r'\bUNPLANTED\(\s*([\w./]+),\s*"([^"]*)"\)', text))
    if len(rows) + len(reasons) != text.count("PLANTED(") + text.count("DEFECT("):
        sys.exit(f"{LIST}: not every row could be read")
    defects = [Defect(name, breaks, case, dict(word.split("=", 1) for word in settings.split()))
               for name, breaks, case, settings in rows]
    return defects, reasons


def read_marks():
    """Which files hold the mark of which defect."""
    places = {}
    for pattern in ("hal/*.[ch]", "kernels/*.[ch]", "backends/**/*.[ch]"):
        for path in sorted(ROOT.glob(pattern)):
            if path.name != "planted.h":
                for name in MARK.findall(path.read_text(encoding="utf-8")):
                    places.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return places


def report(verdict, name, reason=""):
    print(f"{verdict}\t{name}\t{reason}".replace("\n", " "), flush=True)


def places():
    defects, reasons = read_list()
    marks = read_marks()
    names = [defect.name for defect in defects]
    bad = [f"{name} stands twice in the list" for name in set(names) if names.count(name) > 1]
    bad += [f"{name} has no mark in the sources" for name in names if name not in marks]
    bad += [f"{file}: the mark {name} is of no defect" for name in marks if name not in names for file in marks[name]]
    marked = {file for files in marks.values() for file in files}
    for pattern in COVERED:
        for path in ROOT.glob(pattern):
            file = str(path.relative_to(ROOT))
            has_mark = not marked.isdisjoint((file, file[:-1] + "h", re.sub(r"\.haly\.c$", "_body.h", file)))
            if has_mark == (file in reasons):
                bad.append(f"{file}: " + ("has a defect and a reason for none" if has_mark else "has no defect"))
    bad += [f"{file}: is not there" for file in reasons if not (ROOT / file).is_file()]
    print("\n".join(sorted(bad)) or f"{len(names)} defects in {len(marked)} files, {len(reasons)} files have none")
    return not bad


def missing(defect, build):
    """What the machine or the build lacks for this defect; None when it has all."""
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    wanted = {"avx2": "avx2", "avx512": "avx512vl"}.get(defect.settings.get("isa"))
    if wanted is not None and wanted not in flags:
        return f"the processor lacks {defect.settings['isa']}"
    if defect.settings.get("needs") == "onednn" and (
            "avx2" not in flags or not (build / "lib/halyard/libhalyard_cpu_onednn.so").is_file()):
        return "oneDNN is not there, or not used on this processor"
    return None


def run_suite(build, defect, filters=(), contexts=None, timeout=20):
    """The results of these cases with one defect, or with none; contexts: by default those of the defect's settings."""
    if contexts is None:
        contexts = defect.settings.get("contexts", "ordinary")
    environment = {**os.environ, "HALYARD_CPU_THREADS": "2"}  # some defects need two threads
    if defect is not None:
        argument = defect.settings.get("argument")
        environment["HALYARD_PLANTED_DEFECT"] = defect.name + (f":{argument}" if argument else "")
        if "isa" in defect.settings:
            environment["HALYARD_CPU_ISA"] = defect.settings["isa"]
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [build / "bin/halyard-cts", "--backend", "cpu", "--contexts", contexts, "--timeout",
                   str(timeout), "--seed", "1", "--quiet", "--json", file.name]
        for pattern in filters:
            command += ["--filter", pattern]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            with open(file.name, encoding="utf-8") as stream:
                return json.load(stream)["results"], done.stdout
        except ValueError:
            return [], done.stdout


def judge(defect, build):
    """Verdict and reason."""
    lacking = missing(defect, build)
    if lacking is not None:
        return "skip", lacking
    results, output = run_suite(build, defect, [defect.case])
    if not results:
        return "fail", f"{defect.case} gave no result: {output}"
    for result in results:
        if result["verdict"] == "fail" and EXPECTATION.match(result["reason"]):
            return "pass", result["reason"]
    verdicts = ", ".join(f"{result['verdict']} {result['reason']}".strip() for result in results)
    return "fail", f"{defect.case} does not notice it: {verdicts}"


def passes_without(build):
    results, output = run_suite(build, None, contexts="ordinary,movable,strict")
    bad = [f"{r['group']}.{r['name']} [{r['context']}]: {r['reason']}" for r in results
           if r["verdict"] not in ("pass", "unsupported")]
    if not results or bad:
        report("fail", "without a defect everything passes", "; ".join(bad) or f"no result: {output}")
    else:
        report("pass", f"without a defect everything passes: {len(results)} verdicts")
    return bool(results) and not bad


def check(build):
    defects, _ = read_list()
    marks = read_marks()
    good = passes_without(build)
    seen = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for defect, (verdict, reason) in zip(defects, pool.map(lambda d: judge(d, build), defects)):
            report(verdict, f"{defect.name} is noticed by {defect.case}", reason if verdict != "pass" else "")
            file = " ".join(sorted(marks.get(defect.name, {"nowhere"})))
            print(f"{verdict:5} {defect.name:36} {file:42} {defect.case}\n      {reason}", file=sys.stderr)
            seen.append(verdict)
    print(f"{seen.count('pass')} of {len(seen)} defects are noticed, {seen.count('skip')} cannot show here",
          file=sys.stderr)
    return good and "fail" not in seen


def count_cases(defect, build):
    """How many cases notice the defect by an expectation, and how many more crash or hang; None and why when it cannot
    show here."""
    lacking = missing(defect, build)
    if lacking is not None:
        return None, lacking
    results, _ = run_suite(build, defect, timeout=8)  # more than any case takes that does not hang
    failed = [r for r in results if r["verdict"] == "fail"]
    stated = {(r["group"], r["name"]) for r in failed if EXPECTATION.match(r["reason"])}
    return len(stated), len({(r["group"], r["name"]) for r in failed} - stated)


def count(build):
    defects, _ = read_list()
    good = True
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for defect, (stated, other) in zip(defects, pool.map(lambda d: count_cases(d, build), defects)):
            name = f"{defect.name} is noticed"
            if stated is None:
                report("skip", name, other)
                continue
            print(f"{defect.name:36} {stated:4} cases notice it, {other:3} more crash or hang: {defect.breaks}",
                  file=sys.stderr, flush=True)
            report("pass" if stated else "fail", name, "" if stated else "by no case")
            good = good and stated > 0
    return good


def main():
    arguments = sys.argv[1:]
    if arguments == ["places"]:
        good = places()
    elif len(arguments) == 2 and arguments[0] in ("check", "count"):
        build = pathlib.Path(arguments[1]).resolve()
        good = check(build) if arguments[0] == "check" else count(build)
    else:
        sys.exit(__doc__)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
