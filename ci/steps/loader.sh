#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Loading by programs with elevated privileges: an unprivileged user runs set-user-id, set-group-id and file-capability
# copies of a program that is linked to libhalyard, and does what can be done by environment, files and folders to have
# something else loaded. What was opened is shown by the kernel: strace, and the mappings of the process. Then the sizes
# of the unit tests' tables.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

BIN=$BUILD/default/tests/secure
FAKES=$BUILD/default/fakes
PLACE=$(cat "$BIN/place") # fixed when the library under test was built
USER_NAME=nobody
USER_ID=$(id -u "$USER_NAME")
OTHER_ID=61234
OUT=$LOGS/secure
KINDS=(user_id_root user_id_other group_id capability)
mkdir -p "$OUT"

# install_fake FAKE FOLDER [OWNER [MODE]]
install_fake() {
    local file=$2/libhalyard_backend_$1.so
    install -D -m "${4:-755}" -o "${3:-0}" -g 0 "$FAKES/$1/libhalyard_backend_$1.so" "$file"
}

# The trusted folder holds a good backend and some that only a program of their owner may load; beside the library and in
# the user's own folder lie others.
make_place() {
    local kind
    rm -rf "$PLACE"
    mkdir -m 755 "$PLACE" "$PLACE/bin" "$PLACE/lib" "$PLACE/trusted" "$PLACE/evil"
    install -m 755 "$BIN/libhalyard.so.1" "$PLACE/lib/"
    install_fake alpha "$PLACE/trusted"
    install_fake beta "$PLACE/trusted" "$USER_ID"
    install_fake gamma "$PLACE/trusted" "$OTHER_ID"
    install_fake other "$PLACE/lib/halyard"
    install_fake processor "$PLACE/evil" "$USER_ID"
    ln -s "$PLACE/evil/libhalyard_backend_processor.so" "$PLACE/trusted/libhalyard_backend_linked.so"
    chown "$USER_ID" "$PLACE/evil"
    for kind in plain "${KINDS[@]}"; do
        install -m 755 "$BIN/secure_probe" "$PLACE/bin/$kind"
    done
    chmod u+s "$PLACE/bin/user_id_root"
    chown "$OTHER_ID" "$PLACE/bin/user_id_other"
    chmod u+s "$PLACE/bin/user_id_other"
    chgrp "$OTHER_ID" "$PLACE/bin/group_id"
    chmod g+s "$PLACE/bin/group_id"
    if ! setcap cap_net_raw+ep "$PLACE/bin/capability"; then
        skip "capability" "this file system or container takes no file capabilities"
        KINDS=(user_id_root user_id_other group_id)
    fi
}

# What the user sets to have something else loaded. The dynamic linker ignores its own variables by itself.
HOSTILE=(
    "HALYARD_BACKEND_PATH=$PLACE/evil" HALYARD_BACKEND=processor HALYARD_DEVICE=processor:0 HALYARD_LOG=debug
    HALYARD_MEM_LIMIT=1GiB HALYARD_WINDOW=4GiB HALYARD_ALPHA_LEVEL=high HALYARD_NOSUCH=1
)
PRELOAD=("LD_LIBRARY_PATH=$PLACE/evil" "LD_PRELOAD=$PLACE/evil/libhalyard_backend_processor.so"
    "LD_AUDIT=$PLACE/evil/libhalyard_backend_processor.so")

# probe KIND [VARIABLE=VALUE…]: as the user, with nothing in the environment but what is given.
probe() {
    local kind=$1
    shift
    (cd "$PLACE/evil" && setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups env -i "$@" "$PLACE/bin/$kind") \
        >"$OUT/$kind.out" 2>"$OUT/$kind.err" || { cat "$OUT/$kind.out" "$OUT/$kind.err"; return 1; }
}

# The same through strace, which lets the privileges take effect when root runs it for a user.
traced_probe() {
    local kind=$1 variable variables=()
    shift
    for variable in "$@"; do
        variables+=(-E "$variable")
    done
    (cd "$PLACE/evil" && env -i strace -f -u "$USER_NAME" -e trace=file,mmap -o "$OUT/$kind.strace" "${variables[@]}" \
        "$PLACE/bin/$kind") >"$OUT/$kind.out" 2>"$OUT/$kind.err"
}

has() {
    grep -Eq -- "$1" "$2" || { say "no line of $2 matches $1:"; cat "$2"; return 1; }
}

lacks() {
    ! grep -E -- "$1" "$2"
}

# lacks_others PATTERN…: each line of the input is one of these as a whole.
lacks_others() {
    local pattern patterns=()
    for pattern in "$@"; do
        patterns+=(-e "^$pattern$")
    done
    ! grep -Ev "${patterns[@]}"
}

# The same program without privileges believes all of it: else nothing below would show anything.
plain_program_obeys() {
    probe plain "${HOSTILE[@]}"
    has '^secure 0$' "$OUT/plain.out"
    has "^backend processor ready $PLACE/evil/" "$OUT/plain.out"
    has "^mapped $PLACE/evil/libhalyard_backend_processor.so$" "$OUT/plain.out"
    has '^param HALYARD_BACKEND environment$' "$OUT/plain.out"
    has '^halyard: ' "$OUT/plain.err" # the log
    probe plain
    has "^backend other ready $PLACE/lib/halyard/" "$OUT/plain.out"
    has "^backend beta ready $PLACE/trusted/" "$OUT/plain.out"
}

is_privileged() {
    probe "$1"
    has '^secure 1$' "$OUT/$1.out"
}

ignores_the_environment() {
    probe "$1" "${HOSTILE[@]}" "${PRELOAD[@]}"
    has '^create HALY_OK$' "$OUT/$1.out"
    lacks '^param .* (environment|program)$' "$OUT/$1.out"
    [ "$(grep -c '^param ' "$OUT/$1.out")" -ge 6 ]
    [ ! -s "$OUT/$1.err" ]
}

# Also what is wrong in the environment: it may not even be looked at.
ignores_what_would_be_an_error() {
    probe "$1" HALYARD_BACKEND=nosuch HALYARD_DEVICE='>>' HALYARD_BACKEND_PATH=relative HALYARD_LOG=loud \
        HALYARD_MEM_LIMIT=many
    has '^create HALY_OK$' "$OUT/$1.out"
    [ ! -s "$OUT/$1.err" ]
}

chooses_from_the_trusted_folder() {
    probe "$1" "${HOSTILE[@]}" "${PRELOAD[@]}"
    has "^backend alpha ready $PLACE/trusted/" "$OUT/$1.out"
    has "^explain device alpha:0: usable" "$OUT/$1.out"
    has "^backend linked refused .*$PLACE/evil" "$OUT/$1.out"
    lacks '^backend (processor|other) ' "$OUT/$1.out"
}

# A file of the user who runs the program is not to be trusted by it, even when that user is the effective one.
refuses_the_users_file() {
    probe "$1"
    has "^backend beta refused .* belongs to user $USER_ID" "$OUT/$1.out"
    lacks "^mapped .*_beta" "$OUT/$1.out"
}

trusts_its_own_user_alone() {
    local kind
    for kind in "${KINDS[@]}"; do
        probe "$kind"
        if [ "$kind" = user_id_other ]; then
            has "^backend gamma ready" "$OUT/$kind.out"
        else
            has "^backend gamma refused .* belongs to user $OTHER_ID" "$OUT/$kind.out"
        fi
    done
}

maps_nothing_else() {
    probe "$1" "${HOSTILE[@]}" "${PRELOAD[@]}"
    has "^mapped $PLACE/trusted/libhalyard_backend_alpha.so$" "$OUT/$1.out"
    lacks "^mapped $PLACE/(evil|lib/halyard)" "$OUT/$1.out"
    sed -n 's/^mapped //p' "$OUT/$1.out" | lacks_others "$PLACE/(bin|lib|trusted)/[^/]*" "(/usr)?/lib/.*"
}

# Every file that was opened, whether that went well or not.
opens_nothing_else() {
    local opened=$OUT/$1.opened
    traced_probe "$1" "${HOSTILE[@]}" "${PRELOAD[@]}"
    has '^secure 1$' "$OUT/$1.out"
    sed -nE 's/^[0-9]+ +open(at)?\((AT_FDCWD, )?"([^"]*)".*/\3/p' "$OUT/$1.strace" | sort -u >"$opened"
    has "^$PLACE/trusted/libhalyard_backend_alpha.so$" "$opened"
    lacks "/evil|$PLACE/lib/halyard" "$opened"
    # The dynamic linker tries the folder of libhalyard, and folders below it, for the C library too.
    lacks_others "$PLACE/(lib/.*lib(halyard|c)\.so\.[0-9]+|trusted(/[^/]*)?|policy\.conf)" "/etc/ld\.so\.cache" \
        /proc/self/maps "(/usr)?/lib/.*" <"$opened"
    say "$(wc -l <"$opened") files opened"
}

keeps_to_the_policy() {
    local kind
    printf 'deny backend alpha\n' >"$PLACE/policy.conf"
    for kind in "${KINDS[@]}"; do
        probe "$kind" "${HOSTILE[@]}"
        has "^backend alpha denied .*policy.conf, line 1" "$OUT/$kind.out"
    done
    chown "$USER_ID" "$PLACE/policy.conf"
    for kind in "${KINDS[@]}"; do
        probe "$kind" "${HOSTILE[@]}"
        has "^create HALY_ERR_PERMISSION$" "$OUT/$kind.out"
    done
    rm "$PLACE/policy.conf"
}

privileged_programs() {
    local kind row
    local rows=(ignores_the_environment ignores_what_would_be_an_error chooses_from_the_trusted_folder
        refuses_the_users_file maps_nothing_else opens_nothing_else)
    check "without privileges the environment is obeyed" plain_program_obeys
    for kind in "${KINDS[@]}"; do
        check "$kind: the program is privileged" is_privileged "$kind"
        for row in "${rows[@]}"; do
            if [ "$row" = opens_nothing_else ] && ! strace -o /dev/null true 2>/dev/null; then
                skip "$kind: opens nothing else" "processes may not be traced here"
            else
                check "$kind: ${row//_/ }" "$row" "$kind"
            fi
        done
    done
    check "each trusts its own user's files and no other's" trusts_its_own_user_alone
    check "each keeps to the policy, and to one that nobody else could have written" keeps_to_the_policy
}

# The unit tests' tables with their numbers of rows: a table that lost its rows would still pass.
table_sizes() {
    local name
    for name in plugin_files search trust selector choice; do
        "$BUILD/default/tests/unit/unit_$name" >"$OUT/$name.out" 2>&1
        while read -r line; do
            pass "$name: ${line#table: }"
        done < <(grep '^table: ' "$OUT/$name.out")
        has '^table: ' "$OUT/$name.out"
    done
}

if [ "$(id -u)" -ne 0 ]; then
    skip "privileged programs" "only root can make them"
else
    # shellcheck disable=SC2064 # the place as it is now
    trap "rm -rf '$PLACE'" EXIT
    make_place
    probe user_id_root
    if grep -q '^secure 0$' "$OUT/user_id_root.out"; then
        skip "privileged programs" "the file system below $PLACE lends no privileges"
    else
        privileged_programs
    fi
fi
check "the tables are there" table_sizes
