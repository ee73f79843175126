#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One kernel source for every target: each kernel of the tree compiles for each, and what breaks a rule is refused by the
# targets that can see it. Nothing is run here. CUDA is checked where a toolkit is installed. Takes some 40 seconds.
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
[ ${#KERNELS[@]} -ge 16 ] || fail "kernels" "found only ${#KERNELS[@]}"
for file in "${KERNELS[@]}"; do
    check "$file compiles as OpenCL C 1.2, 2.0 and 3.0" for_each_standard "$file"
    check "$file describes itself in OpenCL C" compile_opencl "$file" -DHALY_DESCRIBE
    check "$file keeps address spaces apart on a host" compile_spaces "$file"
    [ -z "$NVCC" ] || check "$file compiles as CUDA C for sm_80 and sm_90" for_each_architecture "$file"
done

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
