#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The suite with other random inputs, and with thread counts from none to spare to more than there are cores.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

suite() {
    local threads=$1
    shift
    HALYARD_CPU_THREADS=$threads "$BUILD/default/bin/halyard-cts" --backend cpu --quiet "$@"
}

for seed in 1 2 3 4 5 6 7 8 9 10; do
    check "seed $seed" suite 2 --seed "$seed"
done
for threads in 1 2 3 7 16; do
    check "$threads threads" suite "$threads" --seed 11
done
check "seed from the clock" suite 2
