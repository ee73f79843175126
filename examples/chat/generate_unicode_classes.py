#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes unicode_classes.inc: the ranges of code points that are letters, numbers or white space.

Run by hand when a newer Unicode version is wanted; the result is kept in the repository, so that building needs no
Python. Usage: generate_unicode_classes.py > unicode_classes.inc
"""
import sys
import unicodedata

# White_Space is categories Z* and these controls; it is what \s means in the pre-tokeniser's expression.
SPACE_CONTROLS = {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85}
PER_LINE = 3


def class_of(code_point):
    category = unicodedata.category(chr(code_point))[0]
    if category == "Z" or code_point in SPACE_CONTROLS:
        return "SPACE"
    return {"L": "LETTER", "N": "NUMBER"}.get(category)


def ranges():
    first, current = 0, None
    for code_point in range(sys.maxunicode + 2):
        found = class_of(code_point) if code_point <= sys.maxunicode else None
        if found == current:
            continue
        if current is not None:
            yield f"RANGE(0x{first:04x}, 0x{code_point - 1:04x}, {current})"
        first, current = code_point, found


def main():
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print(f"/* Made by generate_unicode_classes.py from Unicode {unicodedata.unidata_version}; do not edit. */")
    print("/* clang-format off */")
    entries = list(ranges())
    for start in range(0, len(entries), PER_LINE):
        print(" ".join(entries[start:start + PER_LINE]))
    print("/* clang-format on */")


if __name__ == "__main__":
    main()
