#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# valgrind: examples, the tool and part of the suite read nothing uninitialised, touch nothing freed and leak nothing.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

BIN=$BUILD/default/bin
# valgrind maps at most 48 GiB at a time, less than the window that a movable context would reserve; a case allocates more
# than 4 GiB.
export HALYARD_WINDOW=8GiB HALYARD_CPU_THREADS=2

# Only these kinds of leak are shown: the thread-local block of a worker that lives until the process ends counts as
# "possibly lost", and a case fails when its process prints anything.
grind() {
    valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect \
        --trace-children=yes --suppressions="$ROOT/ci/suppressions/valgrind.supp" "$@"
}

check "vector_add" grind "$BIN/vector_add"
check "own_kernel" grind "$BIN/own_kernel" "$BUILD/default/lib/scale_bias.halo"
check "framework_allocator" grind "$BIN/framework_allocator"
check "halyard info" grind "$BIN/halyard" info
check "halyard info --json" grind "$BIN/halyard" info --json
check "halyard doctor" grind "$BIN/halyard" doctor
for group in 'memory.*' 'stream.*' 'event.*' 'error.*' 'selection.*' 'kernel.*'; do
    check "suite: $group" grind "$BIN/halyard-cts" --backend cpu --contexts ordinary,movable --timeout 600 --seed 1 \
        --filter "$group"
done
