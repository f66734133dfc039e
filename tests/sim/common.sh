# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the simulator's test scripts share. Each check is one TAP line.
BUILD=${BUILD:-build}
export BUILD
simlab=$BUILD/bin/simlab
stock=$BUILD/cache/xen-utils/usr/lib/xen-4.17
nr_checks=0
who=
sides=()
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

between() { # between SAVE RESTORE: the helpers of what follows
    who="$1 to $2: "
    sides=(--save "$1" --restore "$2")
}

tell() { # tell STATUS NAME OUTPUT
    nr_checks=$((nr_checks + 1))
    if [ "$1" = 0 ]; then
        echo "ok $nr_checks - $who$2"
    else
        echo "not ok $nr_checks - $who$2"
        tail -n 70 <<<"$3" | sed 's/^/# /'
    fi
}

migrate() { # migrate NAME ARGUMENTS-OF-SIMLAB-RUN...
    local name=$1 out
    shift
    out=$("$simlab" run "${sides[@]}" "$@" 2>&1)
    tell $? "$name" "$out"
}

# The stream must please Xen's own checker, and the receiver.
verify_stream() { # verify_stream NAME ARGUMENTS...
    local name=$1 out
    shift
    out=$("$simlab" run "${sides[@]}" "$@" --stream "$work/stream" 2>&1) &&
        out=$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$stock/lib/python \
            python3 "$stock/bin/verify-stream-v2" -f libxc \
            -i "$work/stream" 2>&1)
    tell $? "$name passes verify-stream-v2" "$out"
}

# What xl-migrate inspect says of a file: Python expressions over the JSON,
# one a line, that all must hold (inspect_holds.py).
holds() { # holds NAME EXPECTED-STATUS FILE < EXPRESSIONS
    local name=$1 expected=$2 file=$3 out status
    "$BUILD/bin/xl-migrate" inspect --json - <"$file" >"$work/json" \
        2>"$work/stderr"
    status=$?
    out=$(python3 tests/sim/inspect_holds.py "$work/json" 2>&1)
    [ $? = 0 ] && [ "$status" = "$expected" ]
    tell $? "$name" "status $status; $(cat "$work/stderr") $out"
}

plan() {
    echo "1..$nr_checks"
}
