#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a JUnit report into lines "verdict TAB name TAB reason", one for each test.

A program that ctest ran and that printed TAP (CMocka does with CMOCKA_MESSAGE_OUTPUT=TAP) counts once for each of its
tests. A program that failed without a failing test of its own (it crashed, leaked or hung) counts as one failure more. A
second argument names a list of tests that are expected to fail.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

TAP = re.compile(r"^(?P<bad>not )?ok \d+(?: - (?P<name>.*?))?\s*(?:# SKIP(?P<skipped>.*))?$")
PLAN = re.compile(r"^1\.\.(\d+)$")


def last_words(lines):
    """The last line before a result: what a test that skips itself said."""
    said = [line for line in lines if line and not PLAN.match(line) and not TAP.match(line)]
    return said[-1] if said else "no reason given"


def tap_results(program, output):
    lines = [line.strip() for line in output.splitlines()]
    planned = results = 0
    for number, line in enumerate(lines):
        if PLAN.match(line):
            planned += int(PLAN.match(line)[1])
        match = TAP.match(line)
        if not match:
            continue
        results += 1
        if match["skipped"] is not None: # CMocka puts the test's name behind SKIP
            yield "skip", f"{program}: {match['skipped'].strip()}", last_words(lines[:number])
        elif match["bad"]:
            why = " ".join(line[1:].strip() for line in lines[number + 1:number + 4] if line.startswith("#"))
            yield "fail", f"{program}: {match['name']}", why
        else:
            yield "pass", f"{program}: {match['name']}", ""
    if results < planned:
        yield "fail", program, f"ended after {results} of {planned} tests: {last_words(lines)[:200]}"


def text_of(element):
    if element is None:
        return ""
    return " ".join(((element.get("message") or "") + " " + (element.text or "")).split())[:300]


def skip_reason(skipped, output):
    """ctest knows the exit code alone; the test said why."""
    text = text_of(skipped)
    return last_words([line.strip() for line in output.splitlines()]) if text.startswith("SKIP_") else text


def case_results(case):
    classname, name = case.get("classname", ""), case.get("name", "")
    label = name if classname in ("", name) else f"{classname}.{name}"
    output = case.findtext("system-out") or ""
    failure = case.find("failure")
    failure = case.find("error") if failure is None else failure
    skipped = case.find("skipped")
    results = list(tap_results(label, output))
    failed = failure is not None or case.get("status") == "fail"
    if failed and not any(verdict == "fail" for verdict, _, _ in results):
        results.append(("fail", label, text_of(failure) or "failed outside its tests: " + output.strip()[-300:]))
    if results:
        yield from results
    elif skipped is None and case.get("status") not in ("notrun", "disabled"):
        yield "pass", label, ""
    elif text_of(skipped).startswith("Unable to find executable"):
        yield "fail", label, text_of(skipped)
    else:
        yield "skip", label, skip_reason(skipped, output) or "no reason given"


def expectations(path):
    """Lines "NAME: TEST TAB reason" of tests that are known to fail where this runs."""
    with open(path, encoding="utf-8") as stream:
        lines = (line.strip() for line in stream)
        return dict(line.split("\t", 1) for line in lines if line and not line.startswith("#"))


def judged(result, expected):
    """A listed failure counts as skipped, with the reason; a listed test that passes is a failure of the list."""
    verdict, name, reason = result
    if name not in expected or verdict == "skip":
        return result
    return ("fail", name, "unexpected pass: listed as " + expected[name]) if verdict == "pass" else \
           ("skip", name, expected[name])


def main():
    expected = expectations(sys.argv[2]) if len(sys.argv) > 2 else {}
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        for result in case_results(case):
            verdict, name, reason = judged(result, expected)
            print(verdict, re.sub(r"\s+", " ", name), re.sub(r"\s+", " ", reason), sep="\t")


if __name__ == "__main__":
    main()
