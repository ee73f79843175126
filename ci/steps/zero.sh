#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does every operator matter? The cpu backend of the build with planted defects, told to zero one operator's output, must
# change the chat's answer, for each operator that the chat uses; with nothing zeroed it must not.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

CHAT=$BUILD/default/bin/chat
WORK=$LOGS/zero
PROMPT="What is the capital of France, and what is it known for?"
mkdir -p "$WORK"

# One greedy answer and one that is sampled, since each uses operators that the other does not.
answer() {
    "$CHAT" --model "$MODEL" --greedy -n 16 "$PROMPT" 2>"$WORK/err"
    "$CHAT" --model "$MODEL" --seed 3 --temperature 1.2 -n 16 "$PROMPT" 2>>"$WORK/err"
}

zeroed() {
    (
        export HALYARD_BACKEND=cpu HALYARD_BACKEND_PATH=$BUILD/defects/lib/halyard
        [ -z "${1:-}" ] || export HALYARD_PLANTED_DEFECT=operator_writes_zeros:$1
        answer
    )
}

unchanged_without() {
    zeroed >"$WORK/none"
    cmp "$WORK/plain" "$WORK/none"
}

# A model whose numbers have become zero or NaN may end with an error as well: that is a change, too.
changed_by() {
    zeroed "$1" >"$WORK/$1" || true
    ! cmp "$WORK/plain" "$WORK/$1"
}

check "the backend with planted defects builds" configure_and_build defects halyard_backend_cpu
answer >"$WORK/plain"
check "the backend that zeroes nothing answers the same" unchanged_without
# What the chat's source asks for by name.
mapfile -t OPERATORS < <(grep -ohE '\.name = "[A-Z][A-Za-z0-9]+"' "$ROOT"/examples/chat/*.c | cut -d'"' -f2 | sort -u)
for operator in "${OPERATORS[@]}"; do
    check "zeroing $operator changes the answer" changed_by "$operator"
done
[ ${#OPERATORS[@]} -ge 7 ] || fail "operators" "found only ${#OPERATORS[@]} in the chat's source"
