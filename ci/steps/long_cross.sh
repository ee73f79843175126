#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cross-builds for aarch64 and for s390x, which is big-endian, under qemu's user-mode emulation: the unit tests, the suite,
# and the chat's answer, which is the same as on this machine.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

EMULATED=$ROOT/ci/emulated # what cannot pass there
WORK=$LOGS/cross
mkdir -p "$WORK"
# qemu keeps account of every page, so the windows of hundreds of gigabytes that a context reserves take it minutes; a case
# allocates more than 4 GiB.
export HALYARD_WINDOW=8GiB

is_for_its_processor() {
    readelf -h "$BUILD/cross-$1/lib/halyard/libhalyard_backend_cpu.so" | tee "$WORK/elf"
    grep -q "$2" "$WORK/elf"
    grep -q "$3 endian" "$WORK/elf"
}

# answer MODEL COMMAND…: the tokens that the chat reads and chooses, without where and how fast it was.
answer() {
    local model=$1
    shift
    "$@" --model "$model" --greedy -n 24 --tokens "2 + 2 =" 2>&1 >/dev/null | grep -E '^(prompt|token) '
}

# A model file is little-endian everywhere: both machines make the same one and read it alike.
answers_alike() {
    local processor=$1 shape=(7 2 64 4 2 96 320 128 "$2" untied)
    "$BUILD/default/bin/make_tiny_model" "$WORK/here.gguf" "${shape[@]}"
    "$EMULATOR" "$BUILD/cross-$processor/bin/make_tiny_model" "$WORK/there.gguf" "${shape[@]}"
    cmp "$WORK/here.gguf" "$WORK/there.gguf"
    answer "$WORK/here.gguf" "$BUILD/default/bin/chat" >"$WORK/here.tokens"
    answer "$WORK/there.gguf" "$EMULATOR" "$BUILD/cross-$processor/bin/chat" >"$WORK/there.tokens"
    diff "$WORK/here.tokens" "$WORK/there.tokens"
    [ "$(wc -l <"$WORK/here.tokens")" -gt 24 ]
}

# cross PROCESSOR NAME_IN_ELF BYTE_ORDER
cross() {
    local type
    EMULATOR=$(command -v "qemu-$1")
    export QEMU_LD_PREFIX=/usr/$1-linux-gnu
    check "builds for $1 without a warning" configure_and_build "cross-$1"
    check "what was built is for $1, $3-endian" is_for_its_processor "$@"
    EXPECTED=$EMULATED/unit.txt run_ctest "cross-$1" -E '^unit_window$'
    skip "$1: unit_window" "qemu keeps account of every page of windows of up to 9000 GiB"
    run_cts "cross-$1" cpu --timeout 600 --expected "$EMULATED/suite.txt"
    for type in f32 q4_0 q4_1 q8_0 mixed; do
        check "$1: the chat answers as it does here, $type" answers_alike "$1" "$type"
    done
}

cross aarch64 AArch64 little
cross s390x S/390 big
