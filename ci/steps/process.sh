#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How processes begin, divide and end: every scenario once. ci/long runs them a thousand times under sanitizers.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

run_processes default 1
