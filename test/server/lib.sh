#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What the process tests of the server share.  Sourced, with RAFTKVD, RAFTKVCTL
# and O set; members' data and logs are in $place and vanish at the end.  A
# test that fails shows the end of each log.
#
# No test may depend on the speed of the machine: it waits for what it needs,
# by soon, and never sleeps in the hope that something has happened by then.
daemon=${RAFTKVD:?} ctl=${RAFTKVCTL:?}
suite=$(basename "$0" .sh)
place=$(mktemp -d "${O:?}/$suite.XXXXXX")
failed=0
patience=${PATIENCE:-100}
pid1='' pid2='' pid3=''
more_flags=''
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cleanup() {
    status=$?
    trap - EXIT INT TERM
    for pid in $pid1 $pid2 $pid3; do
        kill -KILL "$pid" 2>/dev/null || :
    done
    wait 2>/dev/null || :
    if [ "$status" = 0 ]; then
        status=$failed
    elif [ "$failed" = 0 ]; then
        not_ok "$suite came to its end; it ended early, with exit code $status"
    fi
    if [ "$status" != 0 ]; then
        for log in "$place"/n?.log; do
            test -f "$log" || continue
            echo "# ${log##*/}, its last lines"
            tail -n 15 "$log" | sed 's/^/# /'
        done
    fi
    rm -rf "$place"
    exit "$status"
}

ok() { echo "ok - server: $*"; }
not_ok() {
    echo "not ok - server: $*"
    failed=1
}
skip() { echo "skip - server: $*"; }

# says NAME COMMAND...: ok if it succeeds.
says() {
    name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name"; fi
}

# soon COMMAND...: tries it until it succeeds.  Only what does not come at all
# fails, and is shown.
soon() {
    deadline=$(($(date +%s) + patience))
    until "$@" > "$place/out" 2>&1; do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "# not within $patience s: $*"
            tail -n 5 "$place/out" | sed 's/^/# /'
            return 1
        fi
        sleep 0.05
    done
}

# below N SEED: a number, the same for the same seed.
below() {
    awk -v n="$1" -v seed="$2" 'BEGIN { srand(seed); rand(); print int(rand() * n) }'
}

pid_of() { eval "echo \$pid$1"; }

# alone: one member, ports of its choosing; sets $url.
alone() {
    # shellcheck disable=SC2086
    "$daemon" --name n1 --data-dir "$place/n1" \
        --listen-client-urls http://127.0.0.1:0 \
        --listen-peer-urls http://127.0.0.1:0 \
        --heartbeat-interval 20 --election-timeout 100 $more_flags \
        >> "$place/n1.log" 2>&1 &
    pid1=$!
    soon grep -q 'msg=ready' "$place/n1.log" || return 1
    url=$(sed -n 's/^client //p' "$place/n1/addresses")
    soon healthy "$url"
}
# metric URL NAME: its value.
metric() { "$ctl" --endpoints "$1" call /metrics | sed -n "s/^$2 //p"; }
# watched URL: somebody watches there.
watched() { test "$(metric "$1" etcd_debugging_mvcc_watcher_total)" -gt 0; }
healthy() { "$ctl" --endpoints "$1" --command-timeout 2 call /health; }

# member N: (re)starts member N of three.
member() {
    # shellcheck disable=SC2086
    "$daemon" --name "n$1" --data-dir "$place/n$1" \
        --listen-client-urls "http://127.0.0.1:$((base + $1))" \
        --listen-peer-urls "http://127.0.0.1:$((base + 10 + $1))" \
        --initial-cluster "$cluster" --heartbeat-interval 30 \
        --election-timeout 300 $more_flags >> "$place/n$1.log" 2>&1 &
    eval "pid$1=$!"
}
all_started() {
    for n in 1 2 3; do
        test -f "$place/n$n/addresses" || return 1
    done
}

started_or_taken() { all_started || grep -q 'cannot listen' "$place"/n?.log; }

# three: a cluster; sets $base, $all.
three() {
    try=0
    while :; do
        base=$((20000 + ($$ * 61 + try * 977) % 12000))
        cluster="n1=http://127.0.0.1:$((base + 11)),n2=http://127.0.0.1:$((base + 12)),n3=http://127.0.0.1:$((base + 13))"
        for n in 1 2 3; do member $n; done
        soon started_or_taken
        all_started && break
        grep -q 'cannot listen' "$place"/n?.log || return 1
        try=$((try + 1))
        test $try -lt 20 || return 1
        for n in 1 2 3; do kill -KILL "$(pid_of $n)" 2>/dev/null || :; done
        rm -rf "$place"/n?
    done
    all=http://127.0.0.1:$((base + 1)),http://127.0.0.1:$((base + 2)),http://127.0.0.1:$((base + 3))
    soon has_leader
}
has_leader() {
    leading=$("$ctl" --endpoints "$all" --command-timeout 2 status 2>/dev/null |
        sed -n "s|^http://127.0.0.1:\([0-9]*\), [^,]*, [^,]*, [^,]*, true,.*|\1|p" |
        head -n 1)
    leading=$((leading - base))
    test "$leading" -gt 0
}

# All three have the same hash at the newest revision any of them has; first
# each answers a linearizable read, and so has all that was acknowledged.
same_hash() {
    for n in 1 2 3; do
        healthy "http://127.0.0.1:$((base + n))" || return 1
    done
    revision=$("$ctl" --endpoints "$all" -w json status |
        sed -n 's/.*"revision":"\([0-9]*\)".*/\1/p' | sort -n | tail -n 1)
    "$ctl" --endpoints "$all" hash --rev "$revision" > "$place/hashes" || return 1
    test "$(wc -l < "$place/hashes")" = 3 || return 1
    test "$(cut -d, -f2 "$place/hashes" | sort -u | wc -l)" = 1
}
