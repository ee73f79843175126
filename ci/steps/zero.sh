#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does every operator matter? A build of the cpu backend that zeroes one operator's output must change the chat's answer,
# for each operator that the chat uses; the same build with nothing zeroed must not.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

CHAT=$BUILD/default/bin/chat
WORK=$LOGS/zero
PROMPT="What is the capital of France, and what is it known for?"
mkdir -p "$WORK"

answer() {
    "$CHAT" --model "$MODEL" --greedy -n 16 "$PROMPT" 2>"$WORK/err"
}

zeroed() {
    env HALYARD_BACKEND=cpu HALYARD_BACKEND_PATH="$BUILD/default/tests/zero" "$@"
}

export -f answer
export CHAT MODEL PROMPT WORK

unchanged_without() {
    zeroed bash -c answer >"$WORK/none"
    cmp "$WORK/plain" "$WORK/none"
}

# A model whose numbers have become zero or NaN may answer with an error as well: that is a change, too.
changed_by() {
    zeroed HALYARD_TEST_ZERO_OP="$1" bash -c answer >"$WORK/$1" || true
    ! cmp "$WORK/plain" "$WORK/$1"
}

answer >"$WORK/plain"
check "the variant that zeroes nothing answers the same" unchanged_without
# What the chat's source calls.
mapfile -t OPERATORS < <(python3 "$ROOT/tests/reference/operators_used.py" "$ROOT"/examples/chat/*.c)
for operator in "${OPERATORS[@]}"; do
    check "zeroing $operator changes the answer" changed_by "$operator"
done
[ ${#OPERATORS[@]} -ge 7 ] || fail "operators" "found only ${#OPERATORS[@]} in the chat's source"
