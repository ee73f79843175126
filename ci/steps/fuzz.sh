#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzers with AddressSanitizer and UndefinedBehaviorSanitizer, CI_FUZZ_SECONDS (60) each, and how much of the parsers the
# kept inputs alone reach. An input that breaks something stands in build/fuzz/found; mended, it belongs into the corpus.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

FUZZ=$ROOT/tests/fuzz
FUZZERS=$BUILD/fuzz/tests/fuzz
FOUND=$BUILD/fuzz/found # grows from run to run
FUZZ_SECONDS=${CI_FUZZ_SECONDS:-60}
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
mapfile -t TARGETS < <(cd "$FUZZ/corpus" && printf '%s\n' *)

fuzz_one() {
    local target=$1
    mkdir -p "$FOUND/$target"
    "$FUZZERS/fuzz_$target" -max_total_time="$FUZZ_SECONDS" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -dict="$FUZZ/dictionaries/$target.dict" -artifact_prefix="$FOUND/$target-" \
        "$FOUND/$target" "$FUZZ/corpus/$target" >"$FOUND/$target.log" 2>&1
}

# Slow machines and instrumented readers alike do more than this; a target that returns at once does not.
found_nothing() {
    local log=$FOUND/$1.log runs
    tail -n 40 "$log"
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    say "$1: ${runs:-no} inputs in $FUZZ_SECONDS s"
    grep -q '^Done ' "$log"
    [ "${runs:-0}" -ge $((FUZZ_SECONDS * 20)) ]
}

# covered LIMIT TARGET SOURCE…: the target's kept inputs alone run at least LIMIT percent of the lines of each source.
covered() {
    local limit=$1 target=$2
    shift 2
    find "$BUILD/coverage" -name '*.gcda' -delete
    "$BUILD/coverage/tests/fuzz/fuzz_$target" "$FUZZ/corpus/$target"
    python3 "$ROOT/ci/line_coverage.py" "$limit" "$BUILD/coverage" "$@"
}

every_target_has_a_dictionary() {
    local target
    for target in "${TARGETS[@]}"; do
        [ -s "$FUZZ/dictionaries/$target.dict" ]
        grep -q "^halyard_fuzz($target\b" "$FUZZ/CMakeLists.txt"
    done
    [ "$(grep -c '^halyard_fuzz(' "$FUZZ/CMakeLists.txt")" -eq ${#TARGETS[@]} ]
}

corpus_is_small() {
    local bytes
    bytes=$(find "$FUZZ/corpus" -type f -printf '%s\n' | awk '{sum += $1} END {print sum + 0}')
    say "$bytes bytes"
    [ "$bytes" -le $((300 * 1024)) ]
}

check "every fuzz target has a corpus and a dictionary" every_target_has_a_dictionary
check "the seeds are what make_seeds.py makes" python3 "$FUZZ/make_seeds.py" --check
check "the corpus has at most 300 KiB" corpus_is_small
check "the fuzzers build without a warning" configure_and_build fuzz fuzzers
export -f fuzz_one
export FUZZ FUZZERS FOUND FUZZ_SECONDS
printf '%s\n' "${TARGETS[@]}" | xargs -P "$JOBS" -I{} bash -c 'fuzz_one {}' || true
for target in "${TARGETS[@]}"; do
    check "fuzzing $target for $FUZZ_SECONDS s finds nothing" found_nothing "$target"
done
check "the fuzz targets build for coverage" configure_and_build coverage fuzzers
check "kept inputs cover the GGUF reader" covered 95 gguf examples/chat/gguf.c examples/chat/gguf_parse.c
check "kept inputs cover the tokenizer" covered 95 vocabulary examples/chat/tokenizer.c examples/chat/vocabulary.c
check "kept inputs cover the selectors" covered 95 selector hal/selector.c
check "kept inputs cover the policy" covered 90 policy hal/policy.c # the rest: files that cannot be read
check "kept inputs cover the checks of shared objects" covered 95 elf backends/cpu/cpu_elf.c hal/elf_file.c
