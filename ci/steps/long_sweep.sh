#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The failure sweeps in full: every call of every scenario fails in every way that faults.def knows.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

rm -f "$LOGS/long-sweep.xml"
python3 "$ROOT/tests/sweep/sweep.py" --build "$BUILD/default" --jobs "$((2 * JOBS))" --junit "$LOGS/long-sweep.xml" ||
    true # the report says which
record_junit "$LOGS/long-sweep.xml"
