#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One kernel source for every target: each kernel of the tree compiles for each, and what breaks a rule is refused by the
# targets that can see it. CUDA is checked where a toolkit is installed. Takes one to two minutes.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$ROOT"
SAID=$LOGS/dialect
mkdir -p "$SAID"
INCLUDES=(-Iinclude -Ikernels)
NVCC=$(command -v nvcc || true)

# compile_TARGET FILE FLAGS…
compile_host() {
    gcc -x c -std=c11 -O0 -fsyntax-only -Wall -Wextra -Werror -ffp-contract=off "${INCLUDES[@]}" "${@:2}" "$1"
}
compile_spaces() {
    clang -x c -std=c11 -fsyntax-only -Wall -Wextra -Werror -Wno-unused-variable -DHALY_CHECK_ADDRESS_SPACES \
        "${INCLUDES[@]}" "${@:2}" "$1"
}
compile_opencl() {
    clang -x cl -cl-std="${STANDARD:-CL1.2}" -target spir64-unknown-unknown -Xclang -finclude-default-header \
        -fsyntax-only -nostdlibinc -Wall -Wno-unused-function -Werror "${INCLUDES[@]}" "${@:2}" "$1"
}
compile_cuda() {
    "$NVCC" -x cu -arch="${ARCHITECTURE:-sm_80}" --fmad=false -Werror all-warnings -cubin -o /dev/null \
        "${INCLUDES[@]}" "${@:2}" "$1"
}
compile_ascend() {
    clang++ -x c++ -std=c++17 -fsyntax-only -Wall -Werror -D__NPU_ARCH__=2201 -Itests/dialect/ascend \
        "${INCLUDES[@]}" "${@:2}" "$1"
}
# compile_nvrtc FILE: PTX that holds an entry; the library stands in the toolkit that nvcc belongs to.
compile_nvrtc() {
    local toolkit
    toolkit=$(dirname "$(dirname "$(readlink -f "$NVCC")")")
    python3 tests/dialect/cuda/nvrtc.py "$toolkit/lib64/libnvrtc.so" "$1" --gpu-architecture=compute_80 --fmad=false \
        "${INCLUDES[@]}" >"$SAID/ptx"
    grep -c '^\.visible \.entry' "$SAID/ptx"
}

for_each_standard() {
    local standard
    for standard in CL1.2 CL2.0 CL3.0; do
        STANDARD=$standard compile_opencl "$@" || return 1
    done
}

for_each_architecture() {
    ARCHITECTURE=sm_80 compile_cuda "$@" && ARCHITECTURE=sm_90 compile_cuda "$@"
}

mapfile -t KERNELS < <(git ls-files --cached --others --exclude-standard -- '*.haly.c' ':!tests/dialect/refused' ':!tests/unit')
[ -n "$NVCC" ] || skip "CUDA" "no CUDA toolkit is installed"
[ ${#KERNELS[@]} -ge 16 ] || fail "kernels" "found only ${#KERNELS[@]}"
for file in "${KERNELS[@]}"; do
    check "$file compiles as OpenCL C 1.2, 2.0 and 3.0" for_each_standard "$file"
    check "$file describes itself in OpenCL C" compile_opencl "$file" -DHALY_DESCRIBE
    check "$file keeps address spaces apart on a host" compile_spaces "$file"
    check "$file has the types that Ascend C asks for" compile_ascend "$file"
    [ -z "$NVCC" ] || check "$file compiles as CUDA C for sm_80 and sm_90" for_each_architecture "$file"
    [ -z "$NVCC" ] || check "NVRTC makes PTX of $file" compile_nvrtc "$file"
done

ascend_values() {
    clang++ -x c++ -std=c++17 -O2 -ffp-contract=off -Wall -Werror -D__NPU_ARCH__=2201 -Itests/dialect/ascend \
        "${INCLUDES[@]}" tests/dialect/ascend/values.cpp -o "$SAID/ascend_values" -lm
    "$SAID/ascend_values"
}
check "the Ascend branch computes the right values" ascend_values

# ---- run as OpenCL: values on PoCL, and missing barriers under a checker that lacks shared virtual memory ----

RUN=$SAID/run
OPTIONS="-cl-std=CL1.2 -I$ROOT/include -I$ROOT/kernels"
GROUPS_FILE=tests/dialect/opencl/groups.haly.c

build_runner() {
    gcc -std=c11 -Wall -Wextra -Werror tests/dialect/opencl/run.c -o "$RUN" -lOpenCL
}

# makes_kernels FILE: the driver compiles it, and gives out every kernel that it declares.
makes_kernels() {
    "$RUN" "$1" - 0 0 "$OPTIONS" | tee "$SAID/kernels"
    [ -s "$SAID/kernels" ]
}

# right_values KERNEL GROUPS WORDS [CHECKER…]
right_values() {
    "${@:4}" "$RUN" "$GROUPS_FILE" "$1" "$2" "$3" "$OPTIONS" >"$SAID/words"
    python3 tests/dialect/opencl/check_values.py "$1" <"$SAID/words"
}

no_race() {
    oclgrind --data-races "$RUN" "$GROUPS_FILE" group_right 2 160 "$OPTIONS" >"$SAID/words" 2>"$SAID/races"
    cat "$SAID/races"
    [ ! -s "$SAID/races" ]
}

race_is_found() {
    local line
    line=$(grep -n '= scratch\[63 - t\]' "$GROUPS_FILE" | cut -d: -f1)
    oclgrind --data-races "$RUN" "$GROUPS_FILE" group_racing 2 160 "$OPTIONS" >"$SAID/words" 2>"$SAID/races" || true
    head -n 12 "$SAID/races"
    grep -q 'data race at local memory' "$SAID/races" && grep -q "At line $line " "$SAID/races"
}

check "the OpenCL 1.2 host program builds" build_runner
for file in "${KERNELS[@]}"; do
    check "$file builds on PoCL" makes_kernels "$file"
done
check "group primitives, atomics, break and continue are right on PoCL" right_values group_right 2 160
check "all 65536 halves are converted there and back on PoCL" right_values all_halves 1024 131072
check "group primitives are right under oclgrind" right_values group_right 2 160 oclgrind
check "oclgrind finds no race where barriers are implied" no_race
check "oclgrind finds the race, and its line, where a barrier was left out" race_is_found

# refused TARGET FILE: the compiler fails, and in the words that the file expects.
refused() {
    local words
    words=$(sed -n 's|^/\* Refused by [a-z ]*: \(.*\) \*/$|\1|p' "$2")
    [ -n "$words" ] || die "$2 does not say by whom it is refused, and how"
    if "compile_$1" "$2" >"$SAID/words" 2>&1; then
        echo "$2 was not refused"
        return 1
    fi
    grep -qE "$words" "$SAID/words" || {
        cat "$SAID/words"
        return 1
    }
}

for file in tests/dialect/refused/*.haly.c; do
    read -ra targets < <(sed -n 's|^/\* Refused by \([a-z ]*\): .*|\1|p' "$file")
    for target in "${targets[@]}"; do
        [ "$target" != cuda ] || [ -n "$NVCC" ] || continue
        check "$target refuses ${file##*/}" refused "$target" "$file"
    done
done
