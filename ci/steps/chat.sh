#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The chat example on the real model: the same text whatever the threads, kind of context and run; right first logits;
# one clear line for bad input; nothing linked but libhalyard and libc.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

CHAT=$BUILD/default/bin/chat
WORK=$LOGS/chat
PROMPT="What is the capital of France, and what is it known for?"
mkdir -p "$WORK"
rm -rf "${WORK:?}"/*

# answer FILE [VARIABLE=VALUE…] [-- OPTION…]: the greedy answer of 64 tokens.
answer() {
    local file=$1 variables=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    env HALYARD_BACKEND=cpu "${variables[@]}" "$CHAT" --model "$MODEL" --greedy -n 64 "$@" "$PROMPT" >"$file"
}

same_text() {
    local name=$1
    shift
    answer "$WORK/$name" "$@"
    cmp "$WORK/first" "$WORK/$name"
}

sensible() {
    answer "$WORK/first" HALYARD_CPU_THREADS=1
    cat "$WORK/first"
    grep -q Paris "$WORK/first"
    [ "$(wc -c <"$WORK/first")" -gt 40 ]
}

seeded_sampling_repeats() {
    local run
    for run in 1 2; do
        "$CHAT" --model "$MODEL" --seed 7 --temperature 0.8 --top-k 40 --top-p 0.9 -n 24 "$PROMPT" >"$WORK/seed7.$run"
    done
    cmp "$WORK/seed7.1" "$WORK/seed7.2"
    "$CHAT" --model "$MODEL" --seed 8 --temperature 1.5 --top-k 0 --top-p 1 -n 24 "$PROMPT" >"$WORK/seed8"
    ! cmp -s "$WORK/seed7.1" "$WORK/seed8"
}

interactive_answers_each_line() {
    printf 'What is the capital of France?\nAnd of Italy?\n' | "$CHAT" --model "$MODEL" --greedy -n 24 >"$WORK/interactive"
    cat "$WORK/interactive"
    grep -q Paris "$WORK/interactive" && grep -q Rome "$WORK/interactive"
}

reports_speed() {
    "$CHAT" --model "$MODEL" --greedy -n 8 "$PROMPT" 2>"$WORK/speed" >/dev/null
    cat "$WORK/speed"
    grep -Eq '^prefill [0-9]+ tokens [0-9.]+ tokens/s' "$WORK/speed"
    grep -Eq '^decode [0-9]+ tokens [0-9.]+ tokens/s' "$WORK/speed"
}

first_logits_are_right() {
    local tokens
    "$CHAT" --model "$MODEL" --greedy -n 1 --tokens --logits "$WORK/logits.f32" "$PROMPT" >/dev/null 2>"$WORK/tokens"
    mapfile -t tokens < <(sed -n 's/^prompt //p' "$WORK/tokens")
    [ ${#tokens[@]} -gt 8 ]
    "$BUILD/default/bin/llama_reference" "$MODEL" --binary "$WORK/reference.f32" "${tokens[@]}"
    python3 "$ROOT/tests/reference/compare_logits.py" "$WORK/logits.f32" "$WORK/reference.f32"
}

needs_only_libc() {
    local needed
    needed=$(readelf -d "$CHAT" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
    say "needed: $needed"
    [ "$needed" = "libc.so.6 libhalyard.so.1 " ]
}

library_needs_only_libc() {
    local needed
    needed=$(readelf -d "$BUILD/default/lib/libhalyard.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
    say "needed: $needed"
    [ "$needed" = "libc.so.6 " ]
}

# one_line PATTERN COMMAND…: exit code 1, nothing on stdout, and on stderr one line of complaint that matches; before it
# may stand which device was opened and how long loading took. usage_line: the same with exit code 2.
one_line() {
    complains 1 "$@"
}

usage_line() {
    complains 2 "$@"
}

complains() {
    local want=$1 pattern=$2 rc=0
    shift 2
    "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || rc=$?
    cat "$WORK/err"
    [ "$rc" -eq "$want" ] || { say "exit status $rc, expected $want"; return 1; }
    [ ! -s "$WORK/out" ] || { say "something on stdout"; return 1; }
    [ "$(grep -Ecv '^(device|load) ' "$WORK/err")" -eq 1 ] || { say "not one line"; return 1; }
    grep -Ev '^(device|load) ' "$WORK/err" | grep -Eq -- "$pattern" || { say "does not match $pattern"; return 1; }
}

fails_when_the_answer_cannot_be_written() {
    local rc=0
    "$CHAT" --model "$MODEL" --greedy -n 4 "Hello" >/dev/full 2>"$WORK/err" || rc=$?
    cat "$WORK/err"
    [ "$rc" -eq 1 ] && grep -q "cannot be written: No space left" "$WORK/err"
}

# The first turn fills the context: it is answered as far as there is room, said, and nothing is asked any more.
tells_when_the_context_is_full() {
    printf 'Hello\nAnd now?\n' | "$CHAT" --model "$MODEL" --greedy --context=40 >"$WORK/full" 2>"$WORK/err"
    cat "$WORK/err"
    [ "$(grep -c "the context of 40 tokens is full" "$WORK/err")" -eq 1 ] && [ "$(wc -l <"$WORK/full")" -eq 1 ]
}

bad_file() {
    one_line "$2" "$CHAT" --model "$WORK/$1" --greedy -n 4 "Hello"
}

check "answers sensibly" sensible
for run in 1 2 3; do
    for threads in 1 2; do
        check "same text: run $run, threads $threads" same_text "run$run-threads$threads" "HALYARD_CPU_THREADS=$threads"
    done
done
check "same text: movable context" same_text movable -- --movable
check "same text: strict mode" same_text strict HALYARD_CPU_STRICT=1
check "same text: strict mode, movable context" same_text strict-movable HALYARD_CPU_STRICT=1 -- --movable
check "seeded sampling repeats, and another seed differs" seeded_sampling_repeats
check "interactive chat answers each line" interactive_answers_each_line
check "tells tokens per second" reports_speed
check "first token's logits agree with the independent reference" first_logits_are_right
check "chat needs only libhalyard and libc" needs_only_libc
check "libhalyard needs only libc" library_needs_only_libc

# Every file below is the real one with one thing wrong, or no model at all.
python3 "$ROOT/tests/reference/bad_models.py" "$MODEL" "$WORK" >"$WORK/bad_models"
while IFS=$'\t' read -r file pattern what; do
    check "bad model: $what" bad_file "$file" "$pattern"
done <"$WORK/bad_models"
[ "$(wc -l <"$WORK/bad_models")" -gt 8 ] || fail "bad models" "bad_models.py made too few files"
check "no such file" bad_file absent.gguf "absent\.gguf.*(No such file|not found)"
check "a folder as model" bad_file . "(directory|folder|regular file)"
check "empty prompt" one_line "empty|prompt" "$CHAT" --model "$MODEL" ""
check "prompt that is not UTF-8" one_line "UTF-8" "$CHAT" --model "$MODEL" $'caf\xe9'
check "unusable backend" one_line 'backend.*cuda' env HALYARD_BACKEND=cuda "$CHAT" --model "$MODEL" "Hello"
check "unknown backend names the nearest" one_line 'cpuu.*cpu' env HALYARD_BACKEND=cpuu "$CHAT" --model "$MODEL" "Hello"
check "bad selector" one_line 'HALYARD_DEVICE' env HALYARD_DEVICE='memory>>1' "$CHAT" --model "$MODEL" "Hello"
check "bad size" one_line 'HALYARD_MEM_LIMIT' env HALYARD_MEM_LIMIT=lots "$CHAT" --model "$MODEL" "Hello"
check "too little device memory" one_line 'DEVICE_OOM|memory' env HALYARD_MEM_LIMIT=8MiB "$CHAT" --model "$MODEL" "Hello"
check "answer that cannot be written" fails_when_the_answer_cannot_be_written
check "context that is full" tells_when_the_context_is_full
check "prompt beyond the context" one_line '[0-9]+ tokens do not fit.*--context' "$CHAT" --model "$MODEL" --context 10 "Hello"
check "default model that is missing" one_line 'absent/halyard/.*No such file.*ci/setup' env -u HALYARD_MODEL XDG_CACHE_HOME="$WORK/absent" "$CHAT" "Hello"
check "logits that cannot be written" one_line 'absent/x: No such file' "$CHAT" --model "$MODEL" --logits="$WORK/absent/x" "Hello"
check "unknown option" usage_line 'option' "$CHAT" --modle "$MODEL" "Hello"
check "number out of range" usage_line '(-n|TOKENS|number)' "$CHAT" --model "$MODEL" -n 999999999999 "Hello"
check "option without its value" usage_line '-n needs a value' "$CHAT" --model "$MODEL" -n
