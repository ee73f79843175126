#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The failure sweeps, shortened: one or two failures of each group of calls, one at each place of a step, in all scenarios.
# Half a minute on two cores. `ci/long long_sweep` plants all of them.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

rm -f "$LOGS/sweep.xml"
python3 "$ROOT/tests/sweep/sweep.py" --build "$BUILD/default" --each 1 --quick --jobs "$((2 * JOBS))" \
    --junit "$LOGS/sweep.xml" || true # the report says which
record_junit "$LOGS/sweep.xml"
