#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libhalyard as a static library with the cpu backend built in: what it shows, how the backend is treated, the conformance
# suite, and outside programs against an installed copy that was moved. About a minute.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

TREE=$BUILD/static
WORK=$BUILD/static-test
PREFIX=$WORK/moved
OUTSIDE=$ROOT/tests/install
POLICY=$WORK/policy.conf
TOOL=$TREE/bin/halyard
LIBDIR=
unset PKG_CONFIG_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH

build_static() {
    (cd "$ROOT" && cmake --preset default -B "$TREE" -DBUILD_SHARED_LIBS=OFF -DHALYARD_BUILD_BENCH=OFF \
        -DHALYARD_POLICY_FILE="$POLICY" -DHALYARD_BACKEND_DIR="$WORK/no-backends")
    cmake --build "$TREE" -j "$JOBS" --target halyard halyard_tool halyard-cts vector_add
}

exports_are_public() {
    diff <({
        grep -oE '^ +haly_[a-z0-9_]+;' "$ROOT/hal/libhalyard.map" | tr -d ' ;'
        echo halyard_backend_cpu
    } | sort -u) <(nm -g --defined-only --format=posix "$TREE/lib/libhalyard.a" | awk 'NF > 1 {print $1}' | sort -u)
}

# shows PATTERN COMMAND…: whatever the command's exit status.
shows() {
    local pattern=$1
    shift
    "$@" 2>&1 | tee "$WORK/out" || true
    grep -Eq -- "$pattern" "$WORK/out" || { say "does not match $pattern"; return 1; }
}

denies() {
    printf 'deny backend cpu\n' >"$POLICY"
    shows "^cpu +denied +0 +denied by $POLICY, line 1" "$TOOL" info
    shows "backend \"cpu\" cannot be used: denied by" env HALYARD_BACKEND=cpu "$TREE/bin/vector_add"
    rm "$POLICY"
}

# Once, and not as one that is in force.
doctor_blames_the_policy() {
    printf 'permit backend cpu\n' >"$POLICY"
    shows "^FAIL +policy +$POLICY, line 1: .*HALY_ERR_INVALID" env HALYARD_BACKEND=cpu "$TOOL" doctor
    [ "$(grep -c "^[a-zA-Z]* *policy " "$WORK/out")" -eq 1 ]
    ln -sf "$WORK/absent.conf" "$POLICY"
    shows "^FAIL +policy +cannot open the policy file $POLICY: No such file" "$TOOL" doctor
    rm "$POLICY"
    shows "^ok +policy +$POLICY does not exist" "$TOOL" doctor
}

file_comes_first() {
    export HALYARD_BACKEND_PATH=$BUILD/default/lib/halyard/libhalyard_backend_cpu.so
    shows '^cpu +ready +1 +[^;]*$' "$TOOL" info
    shows "^cpu +filtered +0 +shadowed by $HALYARD_BACKEND_PATH" "$TOOL" info
    shows '2046' "$TREE/bin/vector_add"
}

needs_libc_alone() {
    ldd "$TREE/bin/vector_add" | tee "$WORK/out"
    ! grep -vE 'linux-vdso|libc\.so|ld-linux' "$WORK/out"
}

install_and_move() {
    cmake --install "$TREE" --prefix "$WORK/first" >/dev/null
    mv "$WORK/first" "$PREFIX"
}

computes() {
    "$@" | tee "$WORK/out"
    grep -q '^1\.[0-9.]* 2 4 6 8$' "$WORK/out"
}

# with_pkg_config FOLDER [make variable…]
with_pkg_config() {
    local folder=$WORK/$1
    shift
    mkdir -p "$folder"
    PKG_CONFIG_PATH=$PREFIX/$LIBDIR/pkgconfig make -C "$folder" -f "$OUTSIDE/pkgconfig/Makefile" -B \
        PKG_CONFIG='pkg-config --static' "$@"
    computes "$folder/outside"
}

fully_static() {
    with_pkg_config fully LDFLAGS=-static
    ! readelf -l "$WORK/fully/outside" | grep INTERP
}

with_own_names() {
    gcc -std=c11 -Wall -Wextra -Werror -I "$PREFIX/include" "$OUTSIDE/outside.c" "$OUTSIDE/own_names.c" \
        "$PREFIX/$LIBDIR/libhalyard.a" -o "$WORK/own_names"
    computes "$WORK/own_names"
}

with_find_package() {
    cmake -S "$OUTSIDE/find_package" -B "$WORK/find_package" -G Ninja -DCMAKE_PREFIX_PATH="$PREFIX"
    cmake --build "$WORK/find_package"
    "$WORK/find_package/outside" "$WORK/find_package/fill_index.halo" | tee "$WORK/out"
    grep -q '^1\.[0-9.]* 30$' "$WORK/out"
}

rm -rf "$WORK"
mkdir -p "$WORK"
check "builds as a static library without a warning" build_static
check "the static library shows what its version script lists, and the backend's entry" exports_are_public
check "a program needs nothing but libc" needs_libc_alone
check "info says that the backend is built in" shows '^cpu +ready +1 .*; built in$' "$TOOL" info
check "HALYARD_BACKEND leaves a built-in backend out" shows '^cpu +filtered +0 +left out by' env HALYARD_BACKEND=^cpu "$TOOL" info
check "the policy file denies a built-in backend" denies
check "doctor blames a policy file that is wrong" doctor_blames_the_policy
check "a file that is named comes before a built-in backend" file_comes_first
run_cts static cpu
check "installs, and is moved" install_and_move
LIBDIR=$(cd "$PREFIX" && dirname "$(find lib* -name libhalyard.a | head -1)")
check "outside program in C through pkg-config --static" with_pkg_config shared_libc
check "outside program in C without any shared object" fully_static
check "outside program with names that the library uses for itself" with_own_names
check "outside program in C++11 through find_package, with a kernel" with_find_package
