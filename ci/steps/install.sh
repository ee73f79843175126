#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Outside programs against an installed copy that was moved after its installation, and against the tree as a subproject.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

WORK=$BUILD/install-test
PREFIX=$WORK/moved
OUTSIDE=$ROOT/tests/install
LIBDIR=
unset PKG_CONFIG_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH

install_and_move() {
    rm -rf "$WORK"
    mkdir -p "$WORK"
    cmake --install "$BUILD/default" --prefix "$WORK/first" >"$WORK/manifest"
    mv "$WORK/first" "$PREFIX"
}

has_all_files() {
    local file
    for file in bin/halyard bin/halyard-cts include/halyard/halyard.h include/halyard/backend.h \
        include/halyard/kernel.h "$LIBDIR/libhalyard.so" "$LIBDIR/libhalyard.so.1" \
        "$LIBDIR/halyard/libhalyard_backend_cpu.so" "$LIBDIR/pkgconfig/halyard.pc" \
        "$LIBDIR/cmake/Halyard/HalyardConfig.cmake"; do
        [ -e "$PREFIX/$file" ] || { say "$file is not installed"; return 1; }
    done
}

# The installation must not remember where it was built or first installed.
remembers_no_place() {
    if grep -rlF -e "$WORK/first" -e "$ROOT" "$PREFIX/$LIBDIR/pkgconfig" "$PREFIX/$LIBDIR/cmake"; then
        return 1
    fi
    ! readelf -d "$PREFIX"/bin/* "$PREFIX/$LIBDIR"/*.so "$PREFIX/$LIBDIR"/halyard/*.so | grep -E "R(UN)?PATH.*$BUILD"
}

soname_is_right() {
    readelf -d "$PREFIX/$LIBDIR/libhalyard.so" | grep -q 'SONAME.*\[libhalyard\.so\.1\]'
}

installed_tool_works() {
    "$PREFIX/bin/halyard" info | grep -Eq '^cpu +ready'
    "$PREFIX/bin/halyard" doctor
}

installed_suite_runs() {
    "$PREFIX/bin/halyard-cts" --backend cpu --contexts ordinary --filter 'memory.*' --filter 'kernel.*' --seed 1
}

with_pkg_config() {
    mkdir -p "$WORK/pkgconfig"
    PKG_CONFIG_PATH=$PREFIX/$LIBDIR/pkgconfig make -C "$WORK/pkgconfig" -f "$OUTSIDE/pkgconfig/Makefile" CC="${1:-cc}" -B
    "$WORK/pkgconfig/outside" | tee "$WORK/out"
    grep -q '^1\.[0-9.]* 2 4 6 8$' "$WORK/out"
}

with_find_package() {
    cmake -S "$OUTSIDE/find_package" -B "$WORK/find_package" -G Ninja -DCMAKE_PREFIX_PATH="$PREFIX"
    cmake --build "$WORK/find_package"
    "$WORK/find_package/outside" "$WORK/find_package/fill_index.halo" | tee "$WORK/out"
    grep -q '^1\.[0-9.]* 30$' "$WORK/out"
}

with_subdirectory() {
    cmake -S "$OUTSIDE/subdirectory" -B "$WORK/subdirectory" -G Ninja -DHALYARD_SOURCE="$ROOT"
    cmake --build "$WORK/subdirectory" --target outside --target fill_index -j "$JOBS"
    "$WORK/subdirectory/outside" | tee "$WORK/out"
    grep -q '^1\.[0-9.]* 2 4 6 8$' "$WORK/out"
    nm -D "$WORK/subdirectory/fill_index.halo" | grep haly_kernel_meta_fill_index
}

# As examples/README.md says. The chat answers nothing here, since there may be no model.
copied_example() {
    local name=$1
    shift
    rm -rf "$WORK/copied/$name"
    mkdir -p "$WORK/copied"
    cp -r "$ROOT/examples/$name" "$WORK/copied/"
    cmake -S "$WORK/copied/$name" -B "$WORK/copied/$name/build" -G Ninja -DCMAKE_PREFIX_PATH="$PREFIX"
    cmake --build "$WORK/copied/$name/build" -j "$JOBS"
    (cd "$WORK/copied/$name/build" && "./$name" "$@")
}

too_new_is_refused() {
    mkdir -p "$WORK/too_new"
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(x C)\nfind_package(Halyard 2.0 REQUIRED)\n' \
        >"$WORK/too_new/CMakeLists.txt"
    ! cmake -S "$WORK/too_new" -B "$WORK/too_new/build" -G Ninja -DCMAKE_PREFIX_PATH="$PREFIX"
}

check "installs" install_and_move
LIBDIR=$(cd "$PREFIX" && dirname "$(find lib* -name libhalyard.so | head -1)")
check "installs every part" has_all_files
check "remembers neither build nor first place" remembers_no_place
check "SONAME is libhalyard.so.1" soname_is_right
check "the installed command works where it stands" installed_tool_works
check "the installed suite runs where it stands" installed_suite_runs
check "outside program in C through pkg-config, gcc" with_pkg_config gcc
check "outside program in C through pkg-config, clang" with_pkg_config clang
check "outside program in C++11 through find_package, with a kernel" with_find_package
check "a version that is too new is refused" too_new_is_refused
check "a copied example: vector_add" copied_example vector_add
check "a copied example: framework_allocator" copied_example framework_allocator
check "a copied example: own_kernel" copied_example own_kernel scale_bias.halo
check "a copied example: chat" copied_example chat --help
check "outside program in C with the tree as subdirectory" with_subdirectory
