#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The other compiler: builds without a warning, and its build passes the unit tests and the suite.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

check "clang builds everything without a warning" configure_and_build clang
run_ctest clang
run_cts clang cpu
