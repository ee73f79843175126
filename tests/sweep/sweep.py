#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the failure sweeps and holds what they found against expected.txt.

    tests/sweep/sweep.py [--build FOLDER] [--each N] [--quick] [--scenario NAME]… [--jobs N] [--junit FILE] [--unreached]

Prints for each scenario how many places in the libraries were reached, how many failures were planted and how many of
those runs were right, then each run that was not. --each N plants at most N failures of a kind in calls of one place
under one step; without it, in all. --unreached also lists the places that no scenario reached.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import os
import re
import subprocess
import sys
import time
import xml.sax.saxutils

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLANTED_CODE = 4711  # faulty_backend.c
SCOPES = {"HOST_OOM": 0, "DEVICE_OOM": 0, "UNSUPPORTED": 0, "BACKEND": 0, "DEVICE_FAULT": 2, "DEVICE_LOST": 3}
SCOPE_STREAM, SCOPE_CONTEXT, SCOPE_DEVICE = 1, 2, 3
RECOVER_RETRY = 1
FINAL = ("shutdown.cpu", "shutdown.native", "shutdown.layered")  # nothing runs behind them
# What waits for queued work, or asks for it; and a launch of a graph, whose commands may be queued in part.
WAITS = ("haly_graph_launch", "haly_stream_sync", "haly_stream_query", "haly_event_sync", "haly_event_query", "haly_event_elapsed",
         "haly_context_sync", "haly_stream_wait", "forward_run", "model_load")
STATUS_NUMBERS = {"HOST_OOM": 22, "DEVICE_OOM": 23, "UNSUPPORTED": 17, "BACKEND": 36, "DEVICE_FAULT": 34,
                  "DEVICE_LOST": 33}

# One or two failures of each group of calls, for --quick.
QUICK = ("memory", "map", "unmap", "open=EMFILE", "stat=EIO", "read=EIO", "write=ENOSPC", "write=short", "dlopen=missing",
         "dlsym", "thread", "system", "spurious", "dnnl=memory", "dnnl=unimplemented", "entry=HOST_OOM",
         "entry=DEVICE_FAULT", "entry=DEVICE_LOST", "command=BACKEND", "command=DEVICE_LOST")

Site = collections.namedtuple("Site", "call object offset")
Run = collections.namedtuple(
    "Run", "scenario fault mode nth injected site verdict function status context scope recovery native backend message "
           "problem again computed about")


# ---- what the documentation says ----

class Expected:
    """expected.txt: answers, losses that do no harm, places that no scenario reaches, imports that cannot fail."""

    def __init__(self, path):
        self.sections = {"answers": [], "unharmed": [], "unreached": [], "imports": []}
        self.used = set()
        section = None
        with open(path, encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                if line.startswith("["):
                    section = self.sections[line[1:-1]]
                    continue
                section.append((number, [field.strip() for field in line.split("|")]))

    def answers(self, run):
        """The first row that speaks of the call, or None."""
        for number, (scenario, calls, failures, answers, _source) in self.sections["answers"]:
            if matches(run.scenario, scenario) and matches(run.function, calls) and matches(run.fault, failures):
                self.used.add(number)
                return answers.split()
        return None

    def may_be_lost(self, run, function):
        for number, (scenario, calls, functions, failures, _why) in self.sections["unharmed"]:
            if matches(run.scenario, scenario) and matches(run.site.call, calls) and matches(function, functions) \
                    and matches(run.fault, failures):
                self.used.add(number)
                return True
        return False

    def need_not_be_reached(self, call, function):
        for number, (calls, functions, _why) in self.sections["unreached"]:
            if matches(call, calls) and matches(function, functions):
                self.used.add(number)
                return True
        return False

    def cannot_fail(self, name):
        for number, (names, _why) in self.sections["imports"]:
            if matches(name, names):
                self.used.add(number)
                return True
        return False

    def unused(self, sections):
        return [number for section in sections for number, _ in self.sections[section] if number not in self.used]


def matches(text, patterns):
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns.split())


# ---- names for addresses ----

class Symbols:
    """The function that a place stands in, by the debug information: inlined functions keep their own names."""

    def __init__(self):
        self.known = {}

    def learn(self, sites):
        wanted = collections.defaultdict(set)
        for site in sites:
            if site.object.startswith("/") and site not in self.known:
                wanted[site.object].add(site.offset)
        for path, offsets in wanted.items():
            for offset, name in resolve(path, sorted(offsets)).items():
                self.known[(path, offset)] = name

    def function(self, site):
        if not site.object.startswith("/"):
            return site.object or "backend"
        return self.known.get((site.object, site.offset), ("?", "?"))[0]

    def line(self, site):
        if not site.object.startswith("/"):
            return site.call
        return self.known.get((site.object, site.offset), ("?", "?"))[1]


def resolve(path, offsets):
    """Names and lines of return addresses: one byte before is inside the call."""
    names = {}
    for start in range(0, len(offsets), 500):
        part = offsets[start:start + 500]
        command = ["addr2line", "-a", "-f", "-i", "-e", path] + [hex(offset - 1) for offset in part]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        at = 0
        for offset in part:  # the address, then the innermost function and its line, then those it is inlined in
            name, line = lines[at + 1], lines[at + 2]
            names[offset] = (name.split(".")[0], os.path.basename(line.split(" ")[0]))
            at += 3
            while at < len(lines) and not lines[at].startswith("0x"):
                at += 2
    return names


def place_of(run, symbols):
    """The function that the failure stands in; "@other" behind it where it looked at a backend that is not wanted."""
    function = symbols.function(run.site)
    return function + "@other" if run.about and function in ("trust_check", "check_folders") else function


# ---- running ----

def run_scenario(binary, name, options):
    started = time.time()
    command = [binary, "--scenario", name, "--patience", str(options.patience)]
    for fault in QUICK if options.quick else []:
        command += ["--fault", fault]
    if options.each:
        command += ["--each", str(options.each)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", env=clean_environment())
    return name, result, time.time() - started


def clean_environment():
    """Nothing that the caller has set decides what is tested."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HALYARD_")}


def parse(output):
    runs, sites, texts, skipped = [], [], [], None
    for line in output.splitlines():
        fields = line.split("\t")
        if fields[0] == "R":
            (_, scenario, fault, mode, nth, injected, call, path, offset, verdict, function, status, context, scope,
             recovery, native, backend, message, problem, _milliseconds, again, computed, about) = fields
            runs.append(Run(scenario, fault, mode, int(nth), int(injected), Site(call, path, int(offset, 16)), verdict,
                            function, status.replace("HALY_ERR_", "").replace("HALY_", ""), int(context), int(scope),
                            int(recovery), int(native), backend, message, problem, again, computed, about))
        elif fields[0] == "S":
            sites.append(Site(fields[2], fields[3], int(fields[4], 16)))
        elif fields[0] == "E":
            texts.append(fields[2])
        elif fields[0] == "K":
            skipped = fields[2]
    return runs, sites, texts, skipped


# ---- judging ----

def judge(run, expected, function):
    """What is wrong with a run, or None."""
    if run.verdict != "done":
        return f"{run.verdict} in {run.function}"
    if run.fault == "none":
        return f"without a failure: {run.function} is {run.status}: {run.message} {run.problem} {run.again} {run.computed}"
    wrong = run.problem or judge_afterwards(run)
    if wrong:
        return wrong
    if not run.function:
        if is_latched(run) or expected.may_be_lost(run, function):
            return None
        return "nothing came of it, and expected.txt does not say that nothing needs to"
    answers = expected.answers(run)
    if answers is None:
        return f"{run.function} is {run.status} ({run.message}); expected.txt says nothing of {run.function} and {run.fault}"
    return judge_answer(run, answers)


def planted_in_backend(run):
    return run.fault.split("=")[1] if run.fault.startswith(("entry=", "command=")) else None


def is_latched(run):
    """The context tells of the fault, though no call was left that could."""
    planted = planted_in_backend(run)
    return planted is not None and SCOPES[planted] >= SCOPE_CONTEXT and run.context == STATUS_NUMBERS[planted]


def judge_afterwards(run):
    """All must work again, but a device that is lost stays lost until the process restarts: HALY_SCOPE_DEVICE, of any
    instance, and HALY_RECOVER_RESTART. Another device is not concerned."""
    lost = "haly_context_open is HALY_ERR_DEVICE_LOST: a failure was planted in "
    is_lost = planted_in_backend(run) == "DEVICE_LOST" and run.again.startswith(lost)
    if run.again and not is_lost:
        return f"afterwards {run.again}"
    if planted_in_backend(run) == "DEVICE_LOST" and is_latched(run) and not is_lost and run.scenario not in FINAL \
            and not run.scenario.startswith("fork."):  # a child's loss is the child's
        return "a device that is lost opens again"
    if run.computed and not (is_lost and run.computed == run.again and not run.scenario.endswith("bare")):
        return f"afterwards, on the cpu backend, {run.computed}"
    return None


def judge_answer(run, answers):
    planted = planted_in_backend(run)
    said = f"{run.function} is {run.status} ({run.message})"
    named = [answer for answer in answers if answer.split("/")[0] == run.status]
    if run.status == planted and "same" in answers and not named:
        return judge_detail(run, planted)
    if not any("/" not in answer or re.search(answer.split("/")[1], run.message) for answer in named):
        return f"{said}; expected {' '.join(planted if answer == 'same' else answer for answer in answers)}"
    if run.status == "TOLD":
        return None
    if run.context > 0:
        return f"{said}, and the context latched {run.context}"
    if run.status in ("HOST_OOM", "DEVICE_OOM", "RESOURCE_EXHAUSTED") and run.scope == 0 \
            and run.recovery != RECOVER_RETRY:
        return f"{said}, and its detail does not say that the call may succeed later"
    return None


def scopes_of(run, planted):
    """How far the failure may be said to reach. What a call queued fails its stream when it fails later (stream.h); what
    comes from another context concerns the stream that waited alone."""
    scope = SCOPES[planted]
    if run.fault.startswith("command="):
        scope = max(SCOPE_STREAM, scope)
    allowed = {scope}
    if run.function in WAITS or "across" in run.scenario:
        allowed.add(max(SCOPE_STREAM, scope if "across" not in run.scenario else SCOPE_STREAM))
    return allowed


def judge_detail(run, planted):
    """A backend's failure arrives with all that the backend said, and latches what its scope names."""
    if run.native != PLANTED_CODE:
        return f"{run.function}: the native code {PLANTED_CODE} became {run.native} ({run.message})"
    if run.scope not in scopes_of(run, planted):
        return f"{run.function}: the scope {SCOPES[planted]} became {run.scope} ({run.message})"
    if not run.backend:
        return f"{run.function}: the detail names no backend ({run.message})"
    if run.context >= 0 and "across" not in run.scenario:
        reaches = SCOPE_DEVICE if run.function == "haly_context_open" else SCOPE_CONTEXT  # the one that was not opened
        latched = STATUS_NUMBERS[planted] if run.scope >= reaches else 0
        if run.context != latched:
            return f"{run.function}: a failure of scope {run.scope}, and the context's status is {run.context}"
    return None


def describe(run, symbols):
    return (f"{run.scenario}: {run.fault} {run.mode} {run.nth}, {run.site.call} in {place_of(run, symbols)} "
            f"({symbols.line(run.site)})")


# ---- what is there to be reached ----

CALL = re.compile(r"^\s*([0-9a-f]+):\s+call\s+[0-9a-f]+ <([A-Za-z0-9_]+)(?:@[^>]*)?@plt>")
NEXT = re.compile(r"^\s*([0-9a-f]+):")


def places_in(path, names):
    """Every place in a library that calls one of these, as the address behind the call."""
    places, pending = [], None
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True,
                          check=True).stdout
    for line in text.splitlines():
        at = NEXT.match(line)
        if pending is not None and at:
            places.append(Site(pending, path, int(at.group(1), 16)))
            pending = None
        call = CALL.match(line)
        if call and call.group(2) in names:
            pending = call.group(2)
    return places


def imports_of(path):
    text = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in text.splitlines() if " w " not in line}


def swept_names():
    """What calls.c stands in front of, without what only keeps the books."""
    with open(os.path.join(HERE, "calls.c"), encoding="utf-8") as stream:
        names = set(re.findall(r"CALL\((\w+)\)", stream.read()))
    with open(os.path.join(HERE, "calls_dnnl.h"), encoding="utf-8") as stream:
        names |= {"dnnl_" + name for name in re.findall(r"^    DNNL\((\w+)", stream.read(), re.M)}
    return names - {"name_"}


def libraries(build):
    folders = [os.path.join(build, "lib"), os.path.join(build, "lib", "halyard"), os.path.join(build, "tests", "sweep")]
    found = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.startswith("libhalyard") and ".so" in name and "template" not in name:
                path = os.path.realpath(os.path.join(folder, name))
                found[path] = None
    return list(found)


def check_coverage(build, sites, expected, symbols):
    """Imports that nobody has thought of, and places that no scenario reached: (problems, unreached, all)."""
    problems, unreached, total = [], [], 0
    swept = swept_names()
    reached = {(site.call, os.path.realpath(site.object), site.offset) for site in sites if site.object.startswith("/")}
    for path in libraries(build):
        for name in sorted(imports_of(path) - swept):
            if not name.startswith("haly_") and not expected.cannot_fail(name):
                problems.append(f"{os.path.basename(path)} imports {name}, which is neither swept nor listed")
        places = places_in(path, swept - {"free", "__sched_cpufree", "dlerror"})
        total += len(places)
        missing = [place for place in places if (place.call, path, place.offset) not in reached]
        symbols.learn(missing)
        unreached += missing
    for place in unreached:
        if not expected.need_not_be_reached(place.call, symbols.function(place)):
            problems.append(f"no scenario reaches {place.call} in {symbols.function(place)} ({symbols.line(place)})")
    return problems, unreached, total


# ---- reporting ----

def write_junit(path, results):
    escape = xml.sax.saxutils.escape
    with open(path, "w", encoding="utf-8") as stream:
        stream.write('<?xml version="1.0"?>\n<testsuite name="sweep">\n')
        for name, problems, skipped in results:
            stream.write(f'<testcase classname="sweep" name="{escape(name)}">')
            if skipped:
                stream.write(f'<skipped message="{escape(skipped, {chr(34): "&quot;"})}"/>')
            elif problems:
                text = escape(problems[0], {'"': "&quot;"})
                stream.write(f'<failure message="{text}">{escape(chr(10).join(problems))}</failure>')
            stream.write("</testcase>\n")
        stream.write("</testsuite>\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "default"))
    parser.add_argument("--each", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one or two failures of each group of calls")
    parser.add_argument("--scenario", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="most of the time is waiting")
    parser.add_argument("--patience", type=int, default=30, help="seconds after which a run counts as hung")
    parser.add_argument("--junit")
    parser.add_argument("--unreached", action="store_true")
    parser.add_argument("--no-coverage", action="store_true", help="for builds whose calls are not all their own")
    return parser.parse_args()


def sweep(options, expected, symbols):
    """Runs all scenarios; yields (name, runs, sites, texts, skipped, seconds)."""
    binary = os.path.join(options.build, "tests", "sweep", "halyard-sweep")
    names = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True).stdout.split()
    names = [name for name in names if not options.scenario or matches(name, " ".join(options.scenario))]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, result, seconds in pool.map(lambda name: run_scenario(binary, name, options), names):
            runs, sites, texts, skipped = parse(result.stdout)
            texts += result.stderr.splitlines()
            if result.returncode not in (0, 1):
                texts.append(f"halyard-sweep ended with {result.returncode}")
            symbols.learn([run.site for run in runs] + sites)
            yield name, result.returncode, runs, sites, texts, skipped, seconds


def main():
    options = arguments()
    expected, symbols = Expected(os.path.join(HERE, "expected.txt")), Symbols()
    results, all_sites, kinds, planted, passed = [], set(), set(), 0, 0
    print(f"{'scenario':<26} {'places':>6} {'planted':>7} {'passed':>7} {'failed':>6} {'seconds':>7}")
    for name, code, runs, sites, texts, skipped, seconds in sweep(options, expected, symbols):
        problems = []
        for run in runs:
            wrong = judge(run, expected, place_of(run, symbols))
            if wrong:
                problems.append(f"{describe(run, symbols)}: {wrong}")
        if code != 0 and not problems:
            problems.append("the scenario does not work")
        if not runs and not skipped:
            problems.append("no failure was planted")
        all_sites.update(sites)
        kinds.update((run.fault, run.mode) for run in runs)
        planted += len(runs)
        passed += len(runs) - len(problems)
        print(f"{name:<26} {len(sites):>6} {len(runs):>7} {len(runs) - len(problems):>7} {len(problems):>6} "
              f"{seconds:>7.1f}" + (f"  skipped: {skipped}" if skipped else ""))
        for problem in problems:
            print(f"    {problem}")
        for text in texts[:40]:
            print(f"    | {text}")
        sys.stdout.flush()
        results.append((name, problems, skipped))
    scenarios = len(results)
    if not options.scenario and not options.no_coverage:
        problems, unreached, total = check_coverage(options.build, all_sites, expected, symbols)
        problems += [f"expected.txt, line {number}: nothing needed this row"
                     for number in expected.unused(["unreached", "imports"])]
        print(f"places that call: {total}, reached {total - len(unreached)}, not reached {len(unreached)}")
        for place in unreached if options.unreached else []:
            print(f"    not reached: {place.call} in {symbols.function(place)} ({symbols.line(place)})")
        for problem in problems:
            print(f"    {problem}")
        results.append(("every place is reached or listed", problems, None))
    if options.junit:
        write_junit(options.junit, results)
    failed = sum(1 for _, problems, _ in results if problems)
    print(f"{scenarios} scenarios, {len(all_sites)} places, {len(kinds)} kinds of failure, {planted} failures planted, "
          f"{passed} passed, {planted - passed} failed")
    return 1 if failed or not planted else 0


if __name__ == "__main__":
    sys.exit(main())
