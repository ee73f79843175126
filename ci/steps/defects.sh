#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Would the conformance suite notice a mistake? A build with planted defects (tests/defects/defects.def) passes while none
# of them shows; with each, the case that the list names must fail by an expectation of its own. A minute to build, and
# half of one to run.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

LIST=$ROOT/tests/defects/defects.def
TABLE=$LOGS/defects.tsv

is_never_installed() {
    ! cmake --install "$BUILD/defects" --prefix "$LOGS/defects-install" && [ ! -e "$LOGS/defects-install" ]
}

every_defect_was_tried() {
    [ "$(wc -l <"$TABLE")" -eq $((1 + $(grep -c '^DEFECT(' "$LIST"))) ]
}

check "each defect has a place, and each file a defect or a reason" python3 "$ROOT/ci/defects.py" places
check "the build with planted defects builds without a warning" configure_and_build defects defects
check "a build with planted defects cannot be installed" is_never_installed
rm -f "$TABLE"
python3 "$ROOT/ci/defects.py" check "$BUILD/defects" >"$TABLE" || true # the table says what is wrong
record_table "$TABLE"
check "every defect of the list was tried" every_defect_was_tried
