#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The halyard command and the small examples, as a user runs them.
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

BIN=$BUILD/default/bin
TOOL=$BIN/halyard
FAKES=$BUILD/default/fakes
OUT=$LOGS/tool.out

# exits CODE COMMAND…: runs it, output in $OUT.
exits() {
    local want=$1 rc=0
    shift
    "$@" >"$OUT" 2>&1 || rc=$?
    cat "$OUT"
    [ "$rc" -eq "$want" ] || { say "exit status $rc, expected $want"; return 1; }
}

shows() {
    local pattern=$1
    shift
    exits "$@"
    grep -Eq -- "$pattern" "$OUT" || { say "does not match $pattern"; return 1; }
}

json_is_whole() {
    HALYARD_BACKEND=^template "$TOOL" info --json | python3 -c '
import json, sys
info = json.load(sys.stdin)
states = {b["name"]: b["state"] for b in info["backends"]}
assert states == {"cpu": "ready", "template": "filtered"}, states
assert all(b["reason"] for b in info["backends"] if b["state"] != "ready")
device = next(d for d in info["devices"] if d["backend"] == "cpu")
assert device["memory_bytes"] > 0 and "f32" in device["storage_dtypes"] and device["capabilities"], device
assert any(p["variable"] == "HALYARD_BACKEND" for p in info["parameters"])
'
}

# What only enumeration shows of a backend, in the order of the object's making.
json_tells_of_unusable_devices() {
    HALYARD_BACKEND_PATH=$FAKES/bad_alignment "$TOOL" info --json | python3 -c '
import json, sys
fake = next(b for b in json.load(sys.stdin)["backends"] if b["name"] == "fake")
assert fake["state"] == "unavailable" and fake["device_count"] == 0, fake
assert "not a power of two" in fake["reason"], fake
'
}

every_command_has_help() {
    local command
    for command in info doctor cts; do
        shows "sage: halyard" 0 "$TOOL" "$command" --help
    done
}

every_operator_is_supported() {
    "$TOOL" info --ops >"$OUT"
    [ "$(wc -l <"$OUT")" -gt 25 ]
    ! grep -E "  no(:|$)" "$OUT"
}

no_operators_beside_an_error() {
    exits 1 env HALYARD_BACKEND=cuda "$TOOL" info --ops
    ! grep cpu:0 "$OUT"
}

policy_denies() {
    # The path is fixed when the library is built, so the tool can only show that nothing is denied here.
    shows "policy +.*(does not exist|is in force)" 0 "$TOOL" doctor
}

check "version" shows "^halyard [0-9]+\.[0-9]+\.[0-9]+$" 0 "$TOOL" --version
check "help lists the commands" shows "doctor +what is wrong" 0 "$TOOL" --help
check "every command has help" every_command_has_help
check "no command is wrong usage" shows "^usage: halyard" 2 "$TOOL"
check "unknown command names the nearest" shows "unknown command \"inof\"; did you mean info" 2 "$TOOL" inof
check "unknown option names the nearest" shows "unknown option \"--jsno\"; did you mean --json" 2 "$TOOL" info --jsno
check "options that exclude each other" shows "exclude" 2 "$TOOL" info --json --env
check "info shows cpu ready" shows "^cpu +ready +1 " 0 "$TOOL" info
check "info says what HALYARD_BACKEND leaves out" shows "^template +filtered +0 +[a-zA-Z]" 0 env HALYARD_BACKEND=^template "$TOOL" info
check "info says why no device of a backend can be used" shows "^fake +unavailable +0 +device fake:0: .*48, not a power" 0 env HALYARD_BACKEND_PATH="$FAKES/bad_alignment" "$TOOL" info
check "info says which devices are left out and why" shows "^fake +ready +1 +Fake.*left out: device fake:1: device_open" 0 env HALYARD_BACKEND_PATH="$FAKES/second_fails" "$TOOL" info
check "info --json tells of unusable devices" json_tells_of_unusable_devices
check "doctor tells of devices that are left out" shows "^note +backend fake +left out: device fake:1" 1 env HALYARD_BACKEND_PATH="$FAKES/second_fails" "$TOOL" doctor
check "a device that can do nothing is not chosen" shows "^cpu:0 " 0 "$TOOL" info --ops
check "doctor does not take the template for broken" shows "^note +device template:0" 0 "$TOOL" doctor
check "info shows the device" shows "^cpu:0 " 0 "$TOOL" info
check "info --json is whole" json_is_whole
check "info --env shows value and source" shows "^HALYARD_LOG=off" 0 "$TOOL" info --env
check "info --env shows the backend's own" shows "^HALYARD_CPU_THREADS=1" 0 env HALYARD_CPU_THREADS=1 "$TOOL" info --env
check "info --ops shows paths" shows "^QuantizedMatMul +halyard +1 +(cpu|kernels)/" 0 "$TOOL" info --ops
check "info --ops finds every operator supported" every_operator_is_supported
check "info with an unusable backend says why and shows the rest" shows "backend.*cuda" 1 env HALYARD_BACKEND=cuda "$TOOL" info
check "info names a wrong variable" shows "HALYARD_LOG" 1 env HALYARD_LOG=loud "$TOOL" info
check "doctor finds this machine in order" shows "device cpu:0 +movable context: allocates" 0 "$TOOL" doctor
check "doctor tells of a misspelt variable" shows "did you mean HALYARD_BACKEND\?" 0 env HALYARD_BAKCEND=cpu "$TOOL" doctor
check "doctor fails on a wrong variable and goes on" shows "^FAIL.*HALYARD_MEM_LIMIT" 1 env HALYARD_MEM_LIMIT=many "$TOOL" doctor
check "doctor speaks of the policy file" policy_denies
check "doctor says how to get a backend that is missing" shows "mend: install that backend, name its folder" 1 env HALYARD_BACKEND=cuda "$TOOL" doctor
check "doctor tells of a name that is left out in vain" shows "^warn +HALYARD_BACKEND +leaves out .nonsense" 0 env HALYARD_BACKEND=^nonsense "$TOOL" doctor
check "doctor fails when no device is left to choose" shows "^FAIL +devices +.*template:0: it scores 0" 1 env HALYARD_BACKEND=^cpu "$TOOL" doctor
check "a program does not land on the template" shows "used only when its backend is named" 1 env HALYARD_BACKEND=^cpu "$BIN/vector_add"
check "doctor takes a defect of a backend for one" shows "^FAIL +backend fake +.*48, not a power" 1 env HALYARD_BACKEND_PATH="$FAKES/bad_alignment" "$TOOL" doctor
check "info --env shows a value that was refused" shows "^HALYARD_BACKEND=cuda$" 1 env HALYARD_BACKEND=cuda "$TOOL" info --env
check "info --env names parameters for programs" shows "^ +name +cpu.threads" 0 "$TOOL" info --env
check "info --ops shows no other device than the one asked for" no_operators_beside_an_error
check "cts is handed its options" shows "^halyard-cts " 0 "$TOOL" cts --version
check "vector_add that cannot write" exits 1 bash -c "\"$BIN/vector_add\" >/dev/full"
check "vector_add" shows "^1023 \+ 1023 = 2046$" 0 "$BIN/vector_add"
check "own_kernel" shows "^2 \* 999 \+ 0.5 = 1998.5$" 0 "$BIN/own_kernel" "$BUILD/default/lib/scale_bias.halo"
check "own_kernel with a missing module" shows "absent" 1 "$BIN/own_kernel" "$BUILD/absent.halo"
check "framework_allocator" shows "^result +4.29497e\+09 in all" 0 "$BIN/framework_allocator"
check "framework_allocator reuses memory" shows "^allocations +34, of them 3[0-9] without" 0 "$BIN/framework_allocator"
check "vector_add in strict mode" shows "2046" 0 env HALYARD_CPU_STRICT=1 "$BIN/vector_add"
check "framework_allocator in strict mode" shows "^result" 0 env HALYARD_CPU_STRICT=1 "$BIN/framework_allocator"
