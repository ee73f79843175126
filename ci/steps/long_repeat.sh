#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same tests three times over, also while something else keeps the cores busy: what fails now and then fails here.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

busy() {
    local pids=() i rc=0
    for ((i = 0; i < JOBS; i++)); do
        (while :; do :; done) &
        pids+=($!)
    done
    "$@" || rc=$?
    kill "${pids[@]}"
    wait "${pids[@]}" 2>/dev/null || true
    return "$rc"
}

unit() {
    ctest --test-dir "$BUILD/default" --output-on-failure -j "$JOBS" --timeout 300 --no-tests=error
}

suite() {
    "$BUILD/default/bin/halyard-cts" --backend cpu --quiet --timeout 300
}

for run in 1 2 3; do
    check "unit tests, run $run" unit
    check "suite, run $run" suite
done
check "unit tests beside a busy machine" busy unit
check "suite beside a busy machine" busy suite
