#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the layout ledger of a release: sizes, offsets and enum values of everything public, as static assertions.

    tests/abi/make_ledger.py 1.0 > tests/abi/ledger_1_0.c
    tests/abi/make_ledger.py 1.0 --compare tests/abi/ledger_1_0.c

Run once when a minor release is made; the file is then never changed again. The headers are read for names only; what
they mean is asked of the compiler, for 64-bit targets.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"
# The kernel dialect is source that is compiled into kernels, not an ABI of the library.
HEADERS = [p for p in sorted((INCLUDE / "halyard").glob("*.h")) if not p.name.startswith("kernel")]


def strip(text):
    """Comments and preprocessor lines away."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"\\\n", " ", text)
    return re.sub(r"^\s*#.*$", "", text, flags=re.M)


def body_at(text, start):
    """The text between the brace at start and its partner."""
    depth = 0
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[start + 1 : i], i
    raise ValueError("unbalanced braces")


def member_names(body):
    """Names of the members that a struct's body declares, those of a named union in it included."""
    for nested in re.finditer(r"\b(?:union|struct)\s*\w*\s*\{", body):
        inner, end = body_at(body, nested.end() - 1)
        name = re.match(r"\}\s*(\w+)", body[end:]).group(1)
        yield name
        yield from (f"{name}.{member}" for member in member_names(inner))
        yield from member_names(body[: nested.start()] + body[end + 1 + body[end + 1 :].index(";") :])
        return
    for declaration in body.split(";"):
        declaration = re.sub(r"HALY_PRINTF_LIKE\([^)]*\)", "", declaration).strip()
        if not declaration:
            continue
        pointer = re.search(r"\(\*(\w+)\)", declaration)
        if pointer:
            yield pointer.group(1)
            continue
        for part in declaration.split(","):
            yield re.search(r"(\w+)\s*(\[[^\]]*\]\s*)*$", part.strip()).group(1)


def walk(text):
    """All struct and enum definitions: ("struct", name, members) and ("enum", values)."""
    end = 0
    for match in re.finditer(r"\b(struct|enum)\b\s*(\w*)\s*\{", text):
        if match.start() < end:
            continue
        body, end = body_at(text, match.end() - 1)
        if match.group(1) == "enum":
            values = [v.split("=")[0].strip() for v in body.split(",")]
            yield "enum", [v for v in values if v and not v.endswith("_MAX_ENUM")]
            continue
        alias = re.match(r"\}\s*(\w+)\s*;", text[end:])
        yield "struct", (alias.group(1) if alias else "struct " + match.group(2)), list(member_names(body))


def expressions():
    """Every fact as a C expression."""
    for header in HEADERS:
        for item in walk(strip(header.read_text())):
            if item[0] == "enum":
                yield from item[1]
            else:
                yield f"sizeof({item[1]})"
                yield from (f"offsetof({item[1]}, {member})" for member in item[2])


def evaluate(facts):
    """What the compiler makes of them."""
    lines = [f'#include "{h}"' for h in HEADERS] + ["#include <stdio.h>", "int main(void) {"]
    lines += [f'printf("%lld\\n", (long long)({fact}));' for fact in facts] + ["return 0; }"]
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "facts.c"), pathlib.Path(folder, "facts")
        source.write_text("\n".join(lines))
        subprocess.run(["cc", "-std=c11", f"-I{INCLUDE}", "-o", program, source], check=True)
        return subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()


def ledger(version):
    """The whole file."""
    facts = list(dict.fromkeys(expressions()))
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */", "/*",
             f" * Layout of the ABI as released in {version}: sizes only grow, offsets and values never change. Written by",
             " * make_ledger.py when the release was made; never edited.", " */"]
    lines += [f"#include <halyard/{header.name}>" for header in HEADERS]
    lines += ["", "/* clang-format off */",
              '#define SAME(fact_, value_) _Static_assert((long long)(fact_) == (value_), #fact_ " has changed")',
              '#define GROWN(fact_, value_) _Static_assert((long long)(fact_) >= (value_), #fact_ " has shrunk")',
              "", '_Static_assert(sizeof(void *) == 8, "the ledger is for 64-bit targets");']
    for fact, value in zip(facts, evaluate(facts)):
        lines.append(f"{'GROWN' if fact.startswith('sizeof') else 'SAME'}({fact}, {value});")
    return "\n".join(lines) + "\n"


def main():
    text = ledger(sys.argv[1])
    if len(sys.argv) == 2:
        sys.stdout.write(text)
    elif pathlib.Path(sys.argv[3]).read_text() != text:
        sys.exit(f"{sys.argv[3]} does not hold what the headers declare: write it anew (before the release)")


if __name__ == "__main__":
    main()
