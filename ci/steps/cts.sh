#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The conformance suite: cpu in every kind of context, then the template, which may declare nothing and fail nothing.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

CTS=$BUILD/default/bin/halyard-cts

# The floors that this project has set itself, each for distinct cases that passed.
enough_cases() {
    python3 "$ROOT/ci/cts_floor.py" "$LOGS/cts-default-cpu.json" memory=30 stream,event=40 error,selection=30 \
        kernel=15 operator=60
}

template_declares_nothing() {
    "$CTS" --backend template --json "$LOGS/cts-template.json"
    python3 "$ROOT/ci/cts_floor.py" --only-unsupported "$LOGS/cts-template.json"
}

exits() {
    local want=$1 rc=0
    shift
    "$@" || rc=$?
    [ "$rc" -eq "$want" ] || { say "exit status $rc, expected $want"; return 1; }
}

# A suite that could not run must not look like one that passed, to whatever reads its report.
untestable_is_an_error() {
    exits 3 "$CTS" --backend no_such --junit "$LOGS/cts-none.xml" --json "$LOGS/cts-none.json" >"$LOGS/cts-none.out"
    [ ! -s "$LOGS/cts-none.out" ]
    grep -q 'failures="0" errors="1"' "$LOGS/cts-none.xml"
    python3 "$ROOT/ci/junit.py" "$LOGS/cts-none.xml" | grep "^fail.suite.the backend can be tested.*no_such"
}

relative_path_is_found() {
    cd "$BUILD/default/lib/halyard"
    "$CTS" --backend ./libhalyard_backend_template.so --filter memory.malloc_of_zero_bytes_gives_null
}

capabilities_are_named() {
    "$CTS" --backend cpu --filter memory.malloc_of_zero_bytes_gives_null --json - |
        python3 -c 'import json, sys; assert "operator_kernels" in json.load(sys.stdin)["capabilities"]'
}

# Under the validation layer everything passes as before, and a finding fails its case.
no_finding_anywhere() {
    HALYARD_LAYERS=validate "$CTS" --backend cpu --json "$LOGS/cts-validate.json"
    same_cases "$LOGS/cts-validate.json"
}

# Every case that passed by itself was run and passed in this report too.
same_cases() {
    python3 - "$LOGS/cts-default-cpu.json" "$1" <<'END'
import json, sys
plain, layered = ({(case["group"], case["name"], case["context"]) for case in json.load(open(report))["results"]
                   if case["verdict"] == "pass"} for report in sys.argv[1:])
print(f"{len(plain)} passed without the layer, {len(plain - layered)} of them not with it")
sys.exit(not plain or bool(plain - layered))
END
}

# Under the trace layer everything passes as before as well, and what it writes is what viewers can show.
traces_are_whole() {
    local folder
    folder=$(mktemp -d)
    HALYARD_LAYERS=trace HALYARD_TRACE_FILE=$folder/%p-%i.json "$CTS" --backend cpu --json "$LOGS/cts-trace.json"
    same_cases "$LOGS/cts-trace.json"
    python3 "$ROOT/ci/check_traces.py" "$folder" 10000
    rm -r "$folder"
}

a_wrong_layer_reaches_the_suite() {
    HALYARD_LAYERS=validat exits 3 "$CTS" --backend cpu --filter memory.malloc_of_zero_bytes_gives_null 2>&1 |
        grep 'did you mean "validate"'
}

# Memory, streams and launches are enough for every operator: the core lowers them to kernels that it brings as source.
operators_by_lowering() {
    local folder
    folder=$(mktemp -d)
    HALYARD_CACHE_DIR=$folder/cache "$CTS" --backend "$BUILD/default/fakes/launch_only/libhalyard_backend_launch_only.so" \
        --filter 'operator.*' --json "$LOGS/cts-launch-only.json"
    rm -r "$folder"
    python3 "$ROOT/ci/cts_floor.py" "$LOGS/cts-launch-only.json" operator=60
}

check "every requirement has a case and every case a requirement" "$CTS" --check-requirements
run_cts default cpu
check "cpu passes enough distinct cases" enough_cases
check "the suite shows the validation layer no misuse" no_finding_anywhere
check "the suite passes under the trace layer, and its traces are whole" traces_are_whole
check "the suite takes layers from the environment" a_wrong_layer_reaches_the_suite
check "a backend that cannot be tested is an error" untestable_is_an_error
check "a backend that only launches has every operator" operators_by_lowering
check "a relative path names a backend" relative_path_is_found
check "JSON names capabilities" capabilities_are_named
check "two reports cannot share standard output" exits 2 "$CTS" --json - --junit -
check "--quiet excludes --verbose" exits 2 "$CTS" --quiet --verbose
check "an emulator that does not exist" exits 2 "$CTS" --backend cpu --emulator /nonexistent
check "a list that cannot be written" exits 1 bash -c "\"$CTS\" --list >/dev/full"
check "template gives only declared-unsupported verdicts" template_declares_nothing
