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

check "every requirement has a case and every case a requirement" "$CTS" --check-requirements
run_cts default cpu
check "cpu passes enough distinct cases" enough_cases
check "template gives only declared-unsupported verdicts" template_declares_nothing
