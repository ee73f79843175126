#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: built from a clean copy of the tree, judged by lintian, installed into a scratch root and used in
# there. About a minute.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

WORK=$BUILD/debian-test
COPY=$WORK/halyard
ROOT_FOLDER=$WORK/root
TRIPLET=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
BACKENDS=/usr/lib/$TRIPLET/halyard
unset PKG_CONFIG_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH

# What git knows of, and new files that it would not ignore.
copy_tree() {
    mkdir -p "$COPY"
    (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [ ! -e "$file" ] || printf '%s\0' "$file"
    done | tar --null -T - -c) | tar -x -C "$COPY"
    (cd "$COPY" && find . -type f | LC_ALL=C sort) >"$WORK/files"
}

# One version, in the header and in the package's changelog.
version_agrees() {
    local in_header
    in_header=$(sed -nE 's/^#define HALY_VERSION_(MAJOR|MINOR|PATCH) ([0-9]+)$/\2/p' "$COPY/include/halyard/base.h" | paste -sd.)
    [ "$(dpkg-parsechangelog -l "$COPY/debian/changelog" -S Version)" = "$in_header" ]
}

build_packages() {
    (cd "$COPY" && DEB_BUILD_OPTIONS="parallel=$JOBS" dpkg-buildpackage -us -uc -b)
}

cleaning_restores_the_tree() {
    (cd "$COPY" && debian/rules clean)
    diff "$WORK/files" <(cd "$COPY" && find . -type f | LC_ALL=C sort)
}

as_if_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        unshare --map-root-user "$@"
    fi
}

# dpkg's own database in the scratch root; what the packages need is not in it.
scratch_dpkg() {
    as_if_root dpkg --root="$ROOT_FOLDER" --log=/dev/null --force-depends --force-bad-path "$@"
}

install_packages() {
    local package
    mkdir -p "$ROOT_FOLDER/var/lib/dpkg/info" "$ROOT_FOLDER/var/lib/dpkg/updates"
    touch "$ROOT_FOLDER/var/lib/dpkg/status" "$ROOT_FOLDER/var/lib/dpkg/available"
    for package in "$WORK"/*.deb; do
        case $package in *-dbgsym_*) ;; *) scratch_dpkg -i "$package" ;; esac
    done
    scratch_dpkg --verify
}

# The C library and jansson, which are the machine's, so that programs run in the scratch root.
furnish() {
    local file
    ln -s usr/lib "$ROOT_FOLDER/lib"
    ln -s usr/lib64 "$ROOT_FOLDER/lib64"
    mkdir -p "$ROOT_FOLDER/usr/lib64"
    LD_LIBRARY_PATH=$ROOT_FOLDER/usr/lib/$TRIPLET ldd "$ROOT_FOLDER/usr/bin/halyard" | grep -oE '/[^ ]+' |
        grep -v "^$ROOT_FOLDER" | while IFS= read -r file; do
        mkdir -p "$ROOT_FOLDER$(dirname "$file")"
        cp -L "$file" "$ROOT_FOLDER$file"
    done
}

# inside COMMAND…: in the scratch root. There is no /proc there, so the library cannot tell where it stands, and finds
# backends in the folder that it was built for.
inside() {
    as_if_root chroot "$ROOT_FOLDER" "$@"
}

info_finds_the_backend() {
    furnish
    inside /usr/bin/halyard info | tee "$WORK/out"
    grep -Eq '^cpu +ready +1 ' "$WORK/out"
    inside /usr/bin/halyard info --json >"$WORK/out"
    python3 -c 'import json, sys
paths = [backend["path"] for backend in json.load(open(sys.argv[1]))["backends"]]
assert paths == [sys.argv[2] + "/libhalyard_backend_cpu.so"], paths' "$WORK/out" "$BACKENDS"
}

policy_is_in_force() {
    mkdir -p "$ROOT_FOLDER/etc/halyard"
    printf 'deny backend cpu\n' >"$ROOT_FOLDER/etc/halyard/policy.conf"
    inside /usr/bin/halyard info | tee "$WORK/out" || true
    rm -r "$ROOT_FOLDER/etc/halyard"
    grep -Eq '^cpu +denied +0 +denied by /etc/halyard/policy.conf, line 1' "$WORK/out"
}

outside_program() {
    local flags
    flags=$(PKG_CONFIG_PATH=$ROOT_FOLDER/usr/lib/$TRIPLET/pkgconfig pkg-config --cflags --libs halyard)
    # shellcheck disable=SC2086 # several words
    gcc -std=c11 -Wall -Wextra -Werror "$ROOT/tests/install/outside.c" $flags -o "$ROOT_FOLDER/outside"
    inside /outside | tee "$WORK/out"
    grep -q '^1\.[0-9.]* 2 4 6 8$' "$WORK/out"
}

# It starts itself again through /proc, so from outside.
installed_suite_runs() {
    LD_LIBRARY_PATH=$ROOT_FOLDER/usr/lib/$TRIPLET "$ROOT_FOLDER/usr/bin/halyard-cts" --backend cpu \
        --contexts ordinary --filter 'stream.*' --filter 'kernel.*' --seed 1
}

purging_leaves_nothing() {
    rm -rf "$ROOT_FOLDER/outside"
    scratch_dpkg -P halyard-tools halyard-cts libhalyard-dev libhalyard1 halyard-backend-cpu
    find "$ROOT_FOLDER" -iname '*halyard*' | tee "$WORK/out"
    [ ! -s "$WORK/out" ]
}

rm -rf "$WORK"
copy_tree
check "the package has the version of the header" version_agrees
check "builds packages from a clean copy, and the suite passes" build_packages
check "lintian finds no error and gives no warning" lintian --fail-on error,warning --tag-display-limit 0 "$WORK"/*.changes
check "cleaning leaves the tree as it was" cleaning_restores_the_tree
check "installs into a scratch root" install_packages
check "the installed command finds the backend in the multi-arch folder" info_finds_the_backend
check "the policy file in /etc is in force" policy_is_in_force
check "outside program in C through the development package" outside_program
check "the installed suite runs" installed_suite_runs
check "purging leaves nothing" purging_leaves_nothing
