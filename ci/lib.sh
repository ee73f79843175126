# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts in ci/: where things are, how a test is counted, how a step is run. Sourced, never executed.
# A test is one line in a results file: verdict, step, name, reason, separated by tabs.

set -euo pipefail
umask 022 # a backend in a folder that others may write to is refused

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/halyard
# shellcheck disable=SC2034 # for the scripts that source this file
MODEL=${HALYARD_MODEL:-$CACHE/models/SmolLM2-135M-Instruct.Q4_1.gguf}
BUILD=${CI_BUILD_ROOT:-$ROOT/build}
LOGS=$BUILD/ci-logs
JOBS=${CI_JOBS:-$(nproc)}
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

# record_lines: tests that standard input has as "verdict TAB name TAB reason".
record_lines() {
    local verdict name reason
    while IFS=$'\t' read -r verdict name reason; do
        record "$verdict" "$name" "$reason"
    done
}

# record_table FILE: the same from a file that must not be empty.
record_table() {
    if [ -s "$1" ]; then
        record_lines <"$1"
    else
        fail "$(basename "$1")" "nothing was written"
    fi
}

# record_junit FILE [EXPECTED]: every test of a JUnit report of ctest's or halyard-cts'; EXPECTED lists failures that are
# known where this runs, see junit.py.
record_junit() {
    if [ -s "$1" ]; then
        record_lines < <(python3 "$ROOT/ci/junit.py" "$@")
    else
        fail "$(basename "$1")" "no report was written"
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
    awk -F'\t' '$1 == "fail" && ++n <= 40 {printf "   failed: %s%s\n", $3, ($4 == "" ? "" : ": " $4)}' "$results"
    say "   what the first of them wrote last in $log, or how it ended:"
    sed '/^\[fail\]/,$d' "$log" | tail -n 25 | cut -c 1-400 | sed 's/^/   | /'
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
    awk -F'\t' '$1 == "skip" {printf "   skipped: %s: %s\n", $3, $4}' "$results" | sort -u | sed -n '1,20p'
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

# ---- what several steps run ----

# run_ctest PRESET [ctest option…]: every test of every program counts. ctest's own exit code adds nothing to its report,
# unless the report is missing. EXPECTED, where it is set, is record_junit's.
run_ctest() {
    local preset=$1 report=$LOGS/ctest-$1.xml
    shift
    rm -f "$report"
    CMOCKA_MESSAGE_OUTPUT=TAP ctest --test-dir "$BUILD/$preset" --output-on-failure -j "$JOBS" --timeout 300 \
        --output-junit "$report" --test-output-size-passed 1048576 --test-output-size-failed 1048576 "$@" || true
    record_junit "$report" ${EXPECTED:+"$EXPECTED"}
}

# run_cts PRESET BACKEND [halyard-cts option…]; EMULATOR, where it is set, runs programs of the preset.
run_cts() {
    local preset=$1 backend=$2 report=$LOGS/cts-$1-$2 rc=0
    shift 2
    rm -f "$report".xml "$report".json
    ${EMULATOR:+"$EMULATOR"} "$BUILD/$preset/bin/halyard-cts" ${EMULATOR:+--emulator "$EMULATOR"} --backend "$backend" --junit "$report.xml" --json "$report.json" "$@" || rc=$?
    record_junit "$report.xml"
    # Exit code 1 says that cases failed, and the report says which.
    [ "$rc" -le 1 ] || fail "halyard-cts on $backend" "exit status $rc"
}

# distinct_tests REPORT…: how many tests the JUnit reports hold, whatever became of them.
distinct_tests() {
    local report
    for report in "$@"; do
        python3 "$ROOT/ci/junit.py" "$report"
    done | cut -f2 | sort -u | wc -l
}

same_number_of_tests() {
    local preset=$1 plain sanitized
    plain=$(distinct_tests "$LOGS/ctest-default.xml" "$LOGS/cts-default-cpu.xml")
    sanitized=$(distinct_tests "$LOGS/ctest-$preset.xml" "$LOGS/cts-$preset-cpu.xml")
    say "plain build $plain tests, $preset build $sanitized"
    [ "$plain" -eq "$sanitized" ] && [ "$plain" -gt 0 ]
}

# sanitizer_options: a finding ends the program, so it is a failure of the test that made it. Suppressions are for foreign
# libraries, and one for a thread that is about to be joined when the process ends, each with its reason.
sanitizer_options() {
    local address thread
    address=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:check_initialization_order=1
    # Tests fork with threads alive on purpose, and the children start threads of their own. A process that ends with
    # threads alive would sleep for a second to let them race: one case in two does, and a tenth shows as much.
    thread=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:atexit_sleep_ms=100
    export ASAN_OPTIONS=$address:suppressions=$ROOT/ci/suppressions/asan.supp
    export LSAN_OPTIONS=use_tls=0:suppressions=$ROOT/ci/suppressions/lsan.supp:print_suppressions=0
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:suppressions=$ROOT/ci/suppressions/ubsan.supp
    export TSAN_OPTIONS=$thread:suppressions=$ROOT/ci/suppressions/tsan.supp
}

# run_sanitized PRESET: builds with sanitizers and runs what the plain build ran.
run_sanitized() {
    local preset=$1
    check "$preset builds everything without a warning" configure_and_build "$preset"
    sanitizer_options
    run_ctest "$preset"
    run_cts "$preset" cpu --timeout 240
    check "$preset ran as many tests as the plain build" same_number_of_tests "$preset"
}

# run_processes PRESET RUNS [option of run_scenarios.py…]: every scenario of tests/process, at least RUNS runs in all.
run_processes() {
    local preset=$1 runs=$2 table=$LOGS/processes-$1.txt
    shift 2
    python3 "$ROOT/tests/process/run_scenarios.py" "$BUILD/$preset/tests/process" --runs "$runs" --jobs "$JOBS" "$@" \
        >"$table" || true
    tail -n 1 "$table"
    sed -i "/^total\t/d; s/\t/\t$preset: /" "$table"
    record_table "$table"
}
