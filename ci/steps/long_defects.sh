#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How many cases of the whole suite notice each planted defect: where it is one alone, the suite is thin.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

TABLE=$LOGS/long_defects.tsv

check "the build with planted defects builds without a warning" configure_and_build defects defects
rm -f "$TABLE"
python3 "$ROOT/ci/defects.py" count "$BUILD/defects" >"$TABLE" || true # the table says what is wrong
record_table "$TABLE"
