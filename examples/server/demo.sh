#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The main job, seen: three members on loopback take a real configuration,
# lose their leader to SIGKILL in the middle of it, and lose nothing else.
# make demo calls it with RAFTKVD, RAFTKVCTL and O set; DEMO_INPUT is a file to
# import instead of /etc/services.  It leaves nothing behind.
set -eu
daemon=${RAFTKVD:?make demo sets it} ctl=${RAFTKVCTL:?make demo sets it}
input=${DEMO_INPUT:-/etc/services}
place=$(mktemp -d "${O:-${TMPDIR:-/tmp}}/demo.XXXXXX")
step=start
pid1='' pid2='' pid3=''

say() { printf 'demo: %s\n' "$*"; }

finish() {
    status=$?
    trap - EXIT INT TERM
    for pid in $pid1 $pid2 $pid3; do
        kill -KILL "$pid" 2>/dev/null || :
    done
    wait 2>/dev/null || :
    if [ "$status" != 0 ]; then
        say "FAILED while: $step"
        for log in "$place"/*.log; do
            test -f "$log" || continue
            echo "--- ${log##*/}, its last lines"
            tail -n 12 "$log"
        done
    fi
    rm -rf "$place"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    say "$*"
    exit 1
}

# member N: (re)starts member N and leaves its pid in pidN.
member() {
    "$daemon" --name "n$1" --data-dir "$place/n$1" \
        --listen-client-urls "http://127.0.0.1:$((base + $1))" \
        --listen-peer-urls "http://127.0.0.1:$((base + 10 + $1))" \
        --initial-cluster "$cluster" >> "$place/n$1.log" 2>&1 &
    eval "pid$1=$!"
}

# within SECONDS COMMAND...: tries it until it succeeds.
within() {
    tries=$(($1 * 10))
    shift
    until "$@" > "$place/out" 2>&1; do
        tries=$((tries - 1))
        test $tries -gt 0 || return 1
        sleep 0.1
    done
}

all_started() {
    for n in 1 2 3; do
        test -f "$place/n$n/addresses" || return 1
    done
}

started_or_taken() { all_started || grep -q 'cannot listen' "$place"/n?.log; }

# Ports below those the system hands out to clients; others if these are taken.
start_all() {
    try=0
    while :; do
        base=$((20000 + ($$ * 61 + try * 977) % 12000))
        cluster="n1=http://127.0.0.1:$((base + 11)),n2=http://127.0.0.1:$((base + 12)),n3=http://127.0.0.1:$((base + 13))"
        for n in 1 2 3; do member $n; done
        within 60 started_or_taken
        all_started && break
        grep -q 'cannot listen' "$place"/n?.log || return 1
        try=$((try + 1))
        test $try -lt 20 || return 1
        # shellcheck disable=SC2086
        kill -KILL $pid1 $pid2 $pid3 2>/dev/null || :
        rm -rf "$place"/n?
    done
    all=http://127.0.0.1:$((base + 1)),http://127.0.0.1:$((base + 2)),http://127.0.0.1:$((base + 3))
}

# Which member says that it leads?
leader() {
    "$ctl" --endpoints "$all" --command-timeout 2 status 2>/dev/null |
        sed -n "s|^http://127.0.0.1:\([0-9]*\), [^,]*, [^,]*, [^,]*, true,.*|\1|p" |
        head -n 1
}
has_leader() {
    leading=$(leader)
    test -n "$leading"
}

# Health is a linearizable read: who answers it has all that was acknowledged.
# Then the hashes are those of the newest revision any of them has.
same_hash() {
    for n in 1 2 3; do
        "$ctl" --endpoints "http://127.0.0.1:$((base + n))" --command-timeout 2 call /health || return 1
    done
    revision=$("$ctl" --endpoints "$all" -w json status |
        sed -n 's/.*"revision":"\([0-9]*\)".*/\1/p' | sort -n | tail -n 1)
    "$ctl" --endpoints "$all" hash --rev "$revision" > "$place/hashes" || return 1
    test "$(wc -l < "$place/hashes")" = 3 || return 1
    test "$(cut -d, -f2 "$place/hashes" | sort -u | wc -l)" = 1
}

say "reading $input"
test -r "$input" || fail "$input cannot be read; give another with DEMO_INPUT="

step='starting three members'
start_all || fail 'the members did not start'
say "1/7 three members run: pids $pid1 $pid2 $pid3, clients at $all"

step='electing a leader'
within 60 has_leader || fail 'there was no leader for a minute'
number=$((leading - base))
victim=$(eval "echo \$pid$number")
say "2/7 n$number leads (pid $victim); the other two follow"

step='importing'
say "3/7 importing; when exactly half is acknowledged, n$number is killed with SIGKILL"
"$ctl" --endpoints "$all" import "$input" --at-half "kill -KILL $victim" || fail 'the import did not end'
if kill -0 "$victim" 2>/dev/null; then fail "n$number is still there"; fi
eval "pid$number="
old=$leading
within 60 has_leader || fail 'no new leader within a minute'
test "$leading" != "$old" || fail 'the dead member leads'
say "    all is acknowledged; n$((leading - base)) leads now, n$number is dead"

step='restarting the killed member'
member "$number"
within 60 same_hash || fail 'the members differ, or the killed one did not come back'
say "4/7 n$number is back; all three have hash $(cut -d, -f2 "$place/hashes" | head -n 1 | tr -d ' ') at revision $revision"

step='verifying every key'
"$ctl" --endpoints "$all" verify "$input" > "$place/out" || { cat "$place/out"; fail 'acknowledged keys are missing'; }
say "5/7 every acknowledged key is there, on every member: $(sed -n 's/.* holds //p' "$place/out" | tr '\n' ',' | sed 's/,$//; s/,/, /g')"

step='measuring'
say '6/7 16 clients write for 10 s'
"$ctl" --endpoints "$all" load --clients 16 --seconds 10 || fail 'the load failed'

step='stopping'
for pid in $pid1 $pid2 $pid3; do
    kill -TERM "$pid"
done
for pid in $pid1 $pid2 $pid3; do
    wait "$pid" || fail "pid $pid did not stop cleanly: $?"
done
pid1='' pid2='' pid3=''
say '7/7 all three stopped cleanly, on request'
