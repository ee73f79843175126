#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is shipped beside the library: manual pages that say what the programs say, and an installation that can be taken
# away again. About 5 seconds.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

WORK=$BUILD/package-test
STAGE=$WORK/stage
PAGES=$ROOT/ci/man_pages.py

example_runs() {
    python3 "$PAGES" "$BUILD/default" example >"$WORK/example.c"
    gcc -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -I "$ROOT/include" "$WORK/example.c" -o "$WORK/example" \
        -L "$BUILD/default/lib" -lhalyard -Wl,-rpath,"$BUILD/default/lib"
    "$WORK/example" | tee "$WORK/out"
    grep -qx '2 4 6 8' "$WORK/out"
}

# Only below DESTDIR, and every file that the manifest lists.
installs_below_destdir() {
    DESTDIR=$STAGE cmake --install "$BUILD/default" >/dev/null
    diff <(sed "s,^,$STAGE," "$BUILD/default/install_manifest.txt" | LC_ALL=C sort) \
        <(find "$STAGE" ! -type d | LC_ALL=C sort)
}

# A file of somebody else's in every folder, also in those that are Halyard's alone.
uninstall_leaves_other_files() {
    local folder
    find "$STAGE" -type d | while IFS= read -r folder; do
        touch "$folder/other" "$folder/.other"
    done
    find "$STAGE" -name '*other' | LC_ALL=C sort >"$WORK/others"
    DESTDIR=$STAGE cmake --build "$BUILD/default" --target uninstall
    diff "$WORK/others" <(find "$STAGE" ! -type d | LC_ALL=C sort)
}

uninstall_leaves_no_folder_of_ours() {
    rm -rf "$STAGE"
    DESTDIR=$STAGE cmake --install "$BUILD/default" >/dev/null
    DESTDIR=$STAGE cmake --build "$BUILD/default" --target uninstall
    find "$STAGE" ! -type d -o -iname '*halyard*' | tee "$WORK/left"
    [ ! -s "$WORK/left" ]
}

rm -rf "$WORK"
mkdir -p "$WORK"
check "the manual pages are well formed" python3 "$PAGES" "$BUILD/default" lint
check "the manual pages have every option and command, and no others" python3 "$PAGES" "$BUILD/default" options
check "libhalyard(7) has every variable with its default, and no others" python3 "$PAGES" "$BUILD/default" variables
check "the program in libhalyard(7) computes" example_runs
check "installs below DESTDIR what the manifest lists" installs_below_destdir
check "uninstalling leaves other files alone" uninstall_leaves_other_files
check "uninstalling leaves nothing of Halyard's" uninstall_leaves_no_folder_of_ours
