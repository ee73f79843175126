#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Unit tests, ABI tests and everything else that ctest knows.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

run_ctest default
