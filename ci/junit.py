#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a JUnit report into lines "verdict TAB name TAB reason", one for each test.

A program that ctest ran and that printed TAP (CMocka does with CMOCKA_MESSAGE_OUTPUT=TAP) counts once for each of its
tests. A program that failed without a failing test of its own (it crashed, leaked or hung) counts as one failure more.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

TAP = re.compile(r"^(not )?ok \d+(?: - (?P<name>.*?))?\s*(?:# SKIP(?P<reason>.*))?$")


def tap_results(program, output):
    previous = ""
    for line in output.splitlines():
        match = TAP.match(line.strip())
        if not match:
            previous = line.strip() or previous
            continue
        if match["reason"] is not None:
            # CMocka names the test behind SKIP; the reason is what the test printed before.
            yield "skip", f"{program}: {match['name'] or match['reason'].strip()}", previous.lstrip("# ") or "no reason"
        elif match[1]:
            yield "fail", f"{program}: {match['name']}", previous.lstrip("# ")
        else:
            yield "pass", f"{program}: {match['name']}", ""


def text_of(element):
    if element is None:
        return ""
    return " ".join(((element.get("message") or "") + " " + (element.text or "")).split())[:300]


def case_results(case):
    classname, name = case.get("classname", ""), case.get("name", "")
    label = name if classname in ("", name) else f"{classname}.{name}"
    failure = case.find("failure")
    failure = case.find("error") if failure is None else failure
    skipped = case.find("skipped")
    tap = list(tap_results(label, case.findtext("system-out") or ""))
    failed = failure is not None or case.get("status") == "fail"
    if failed and not any(verdict == "fail" for verdict, _, _ in tap):
        tap.append(("fail", label, text_of(failure) or "program failed outside its tests"))
    if tap:
        yield from tap
    elif skipped is not None or case.get("status") in ("notrun", "disabled"):
        yield "skip", label, text_of(skipped) or "no reason given"
    else:
        yield "pass", label, ""


def main():
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        for verdict, name, reason in case_results(case):
            print(verdict, re.sub(r"\s+", " ", name), re.sub(r"\s+", " ", reason), sep="\t")


if __name__ == "__main__":
    main()
