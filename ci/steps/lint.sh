#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything about the source that needs no run: layout, linters, headers alone, exported symbols, house rules.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$ROOT"
TIDY=$BUILD/clang

# Generated tables are not formatted. New files count before they are added.
c_sources() {
    git ls-files -z --cached --others --exclude-standard -- "$@" | grep -zE '\.(c|h|cpp)$' | while IFS= read -r -d '' file; do
        [ ! -f "$file" ] || printf '%s\0' "$file"
    done
}

formatted() {
    c_sources . | xargs -0 clang-format --dry-run -Werror
}

scripts() {
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        if [ -f "$file" ] && head -c 64 "$file" | head -1 | grep -qE '^#!.*\b(ba)?sh\b|^# shellcheck shell='; then
            printf '%s\0' "$file"
        fi
    done
}

shell_is_clean() {
    scripts | xargs -0 shellcheck -x
}

python_compiles() {
    git ls-files -z --cached --others --exclude-standard -- '*.py' | while IFS= read -r -d '' file; do
        python3 -c 'import ast, sys; ast.parse(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1])' "$file"
    done
}

# Only files whose text, headers or configuration changed since they were last found clean are looked at again.
tidy_one() {
    local file=$1 stamp
    stamp=$TIDY/tidy/$(printf '%s' "$file" | tr / _)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$TIDY_KEY $(sha256sum <"$file")" ]; then
        return 0
    fi
    rm -f "$stamp"
    clang-tidy --quiet -p "$TIDY/tidy" "$file" 2>"$stamp.err" || {
        grep -E 'error' "$stamp.err" || true
        return 1
    }
    printf '%s %s' "$TIDY_KEY" "$(sha256sum <"$file")" >"$stamp"
}

# Files that the clang build compiles, each with its first command: some are compiled several times over, which would
# multiply the work and find the same.
tidy_files() {
    python3 - "$TIDY/compile_commands.json" "$ROOT" "$TIDY/tidy/compile_commands.json" <<'PYTHON'
import json, os, sys
folders = ("hal/", "backends/", "tools/", "examples/")
first = {}
with open(sys.argv[1], encoding="utf-8") as stream:
    for entry in json.load(stream):
        first.setdefault(os.path.relpath(entry["file"], sys.argv[2]), entry)
chosen = {file: entry for file, entry in sorted(first.items()) if file.startswith(folders) and not file.endswith(".haly.c")}
with open(sys.argv[3], "w", encoding="utf-8") as stream:
    json.dump(list(chosen.values()), stream)
print("\n".join(chosen))
PYTHON
}

tidy() {
    cmake --preset clang -B "$TIDY" >/dev/null
    mkdir -p "$TIDY/tidy"
    TIDY_KEY=$(c_sources hal backends kernels tools examples include | grep -zE '\.h$' | sort -z | xargs -0 cat .clang-tidy |
        sha256sum | cut -c1-16)
    export TIDY TIDY_KEY
    export -f tidy_one
    tidy_files | xargs -P "$JOBS" -I{} bash -c 'tidy_one {}'
}

header_alone() {
    local header=$1 compiler=$2 standard=$3 language=c
    case $standard in c++*) language=c++ ;; esac
    printf '#include <halyard/%s>\n#include <halyard/%s>\nextern int not_empty;\n' \
        "$header" "$header" |
        "$compiler" -x "$language" -std="$standard" -I "$ROOT/include" -Wall -Wextra -Wpedantic -Werror -Wundef \
            -Wno-unused-function -fsyntax-only -
}

headers_alone() {
    local compiler=$1 standard=$2 header bad=0
    for header in "$ROOT"/include/halyard/*.h; do
        header_alone "$(basename "$header")" "$compiler" "$standard" || {
            say "halyard/$(basename "$header") does not stand alone: $compiler -std=$standard"
            bad=1
        }
    done
    return "$bad"
}

exported() {
    nm -D --defined-only --format=posix "$1" | awk '$2 != "A" {print $1}' | sed 's/@.*//' | sort -u
}

library_exports_the_map() {
    diff <(grep -oE '^ +haly_[a-z0-9_]+;' "$ROOT/hal/libhalyard.map" | tr -d ' ;' | sort -u) \
        <(exported "$BUILD/default/lib/libhalyard.so")
}

backends_export_their_entry() {
    local file name
    for file in "$BUILD"/default/lib/halyard/libhalyard_backend_*.so; do
        name=$(basename "$file" .so)
        name=${name#lib}
        diff <(printf '%s\n' "$name") <(exported "$file") || { say "$file exports more or less than its entry"; return 1; }
    done
}

[ -f "$BUILD/default/lib/libhalyard.so" ] || configure_and_build default
check "clang-format" formatted
check "clang-tidy" tidy
check "shellcheck" shell_is_clean
check "python parses" python_compiles
for compiler in gcc clang; do
    for standard in c99 c11 c++11; do
        check "each public header alone: $compiler $standard" headers_alone "$compiler" "$standard"
    done
done
check "libhalyard exports what its version script lists" library_exports_the_map
check "each backend exports its entry alone" backends_export_their_entry
for rule in spdx banned includes vendors lengths exports names; do
    check "house rule: $rule" python3 ci/check_source.py "$rule"
done
