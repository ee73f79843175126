# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts in ci/: where things are, how a test is counted, how a step is run. Sourced, never executed.
# A test is one line in a results file: verdict, step, name, reason, separated by tabs.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/halyard
# shellcheck disable=SC2034 # for the scripts that source this file
MODEL=${HALYARD_MODEL:-$CACHE/models/SmolLM2-135M-Instruct.Q4_1.gguf}
BUILD=${HALYARD_BUILD_ROOT:-$ROOT/build}
LOGS=$BUILD/ci-logs
JOBS=${HALYARD_JOBS:-$(nproc)}
STEP=${STEP:-}
RESULTS=${RESULTS:-}

say() {
    printf '%s\n' "$*"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# ---- counting: used inside steps ----

record() {
    printf '%s\t%s\t%s\t%s\n' "$1" "$STEP" "$2" "${3:-}" >>"$RESULTS"
    printf '[%s] %s%s\n' "$1" "$2" "${3:+: $3}"
}

pass() {
    record pass "$1"
}

fail() {
    record fail "$1" "$2"
}

skip() {
    record skip "$1" "$2"
}

# check NAME COMMAND…: one test that passes when the command does. The subshell keeps errexit alive in functions.
check() {
    local name=$1 rc
    shift
    set +e
    (
        set -e
        "$@"
    )
    rc=$?
    set -e
    if [ "$rc" -eq 0 ]; then
        pass "$name"
    else
        fail "$name" "exit status $rc"
    fi
}

# ---- building ----

# configure_and_build PRESET [TARGET…]: the preset's folder under $BUILD.
configure_and_build() {
    local preset=$1 targets=()
    shift
    [ $# -eq 0 ] || targets=(--target "$@")
    (cd "$ROOT" && cmake --preset "$preset" -B "$BUILD/$preset" >/dev/null)
    cmake --build "$BUILD/$preset" -j "$JOBS" "${targets[@]}"
}

# ---- running steps ----

count() {
    awk -F'\t' -v verdict="$1" '$1 == verdict {n++} END {print n + 0}' "${@:2}"
}

show_failures() {
    local results=$1 log=$2
    awk -F'\t' '$1 == "fail" {printf "   failed: %s%s\n", $3, ($4 == "" ? "" : ": " $4)}' "$results" | head -40
    say "   the end of $log:"
    tail -n 25 "$log" | sed 's/^/   | /'
}

# run_step NAME LIMIT_SECONDS: runs ci/steps/NAME.sh in a process of its own, so that nothing it does ends the others.
run_step() {
    local name=$1 limit=$2 log=$LOGS/$1.log results=$LOGS/$1.results rc start=$SECONDS
    mkdir -p "$LOGS"
    : >"$results"
    printf '%-16s ' "$name"
    set +e
    STEP=$name RESULTS=$results timeout -k 20 "$limit" bash "$ROOT/ci/steps/$name.sh" >"$log" 2>&1 </dev/null
    rc=$?
    set -e
    if [ "$rc" -eq 124 ]; then
        printf 'fail\t%s\t%s\tnot finished after %s s\n' "$name" "$name" "$limit" >>"$results"
    elif [ "$rc" -ne 0 ] && [ "$(count fail "$results")" -eq 0 ]; then
        printf 'fail\t%s\t%s\tstep ended with exit status %s\n' "$name" "$name" "$rc" >>"$results"
    elif [ ! -s "$results" ]; then
        printf 'fail\t%s\t%s\tstep ran no test\n' "$name" "$name" >>"$results"
    fi
    printf '%5d passed %3d failed %3d skipped %5d s\n' "$(count pass "$results")" "$(count fail "$results")" \
        "$(count skip "$results")" "$((SECONDS - start))"
    awk -F'\t' '$1 == "skip" {printf "   skipped: %s: %s\n", $3, $4}' "$results" | sort | uniq | head -20
    if [ "$(count fail "$results")" -ne 0 ]; then
        show_failures "$results" "$log"
    fi
}

# summarise NAME…: the closing line over these steps; fails when a test failed or none passed.
summarise() {
    local files=() name passed failed
    for name in "$@"; do
        files+=("$LOGS/$name.results")
    done
    passed=$(count pass "${files[@]}")
    failed=$(count fail "${files[@]}")
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$(count skip "${files[@]}")"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
