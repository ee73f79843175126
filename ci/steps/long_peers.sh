#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Agreement with llama.cpp on the same file: the likeliest first tokens of several prompts, and the tokeniser.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

CHAT=$BUILD/default/bin/chat
PYTHON=$CACHE/venv/long/bin/python
REFERENCE=$ROOT/tests/reference
WORK=$LOGS/peers
PROMPTS=(
    "What is the capital of France, and what is it known for?"
    "Write a haiku about the sea."
    "def fibonacci(n):"
    "Erkläre in einem Satz, was ein Prozessor ist."
    "1, 2, 4, 8, 16,"
)
mkdir -p "$WORK"

top20_agrees() {
    local tokens
    "$CHAT" --model "$MODEL" --greedy -n 1 --tokens --logits "$WORK/logits.f32" "$1" >/dev/null 2>"$WORK/tokens"
    mapfile -t tokens < <(sed -n 's/^prompt //p' "$WORK/tokens")
    [ ${#tokens[@]} -gt 0 ]
    "$PYTHON" "$REFERENCE/llama_cpp_top20.py" "$MODEL" "${tokens[@]}" >"$WORK/top20"
    "$PYTHON" "$REFERENCE/compare_top20.py" "$WORK/logits.f32" "$WORK/top20"
}

tokenizer_agrees() {
    "$PYTHON" "$REFERENCE/tokenizer_strings.py" >"$WORK/strings"
    "$BUILD/default/bin/tokenize_stdin" "$MODEL" <"$WORK/strings" >"$WORK/ours"
    "$PYTHON" "$REFERENCE/llama_cpp_top20.py" "$MODEL" --tokenize-stdin <"$WORK/strings" >"$WORK/theirs"
    say "$(wc -l <"$WORK/ours") texts"
    [ -s "$WORK/ours" ]
    cmp "$WORK/ours" "$WORK/theirs"
}

for prompt in "${PROMPTS[@]}"; do
    check "20 likeliest first tokens agree with llama.cpp: $prompt" top20_agrees "$prompt"
done
check "the tokeniser agrees with llama.cpp" tokenizer_agrees
