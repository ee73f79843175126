#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How processes begin, divide and end: 1,000 ends of processes and as many other runs in proportion, under AddressSanitizer
# and once more under ThreadSanitizer.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

sanitizer_options
for preset in asan tsan; do
    check "$preset builds everything without a warning" configure_and_build "$preset"
    run_processes "$preset" 2000
done
