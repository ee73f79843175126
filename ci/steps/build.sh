#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The build that everything else uses: gcc, warnings are errors.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

check "gcc builds everything without a warning" configure_and_build default
