#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The fuzzers for longer: CI_FUZZ_SECONDS, or ten minutes each.
export CI_FUZZ_SECONDS=${CI_FUZZ_SECONDS:-600}
# shellcheck source=ci/steps/fuzz.sh
. "$(dirname "${BASH_SOURCE[0]}")/fuzz.sh"
