#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# A member told to stop stops: soon, with exit code 0, whatever its clients
# were doing, and everything is there when it comes back.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"

gone() { ! kill -0 "$1" 2>/dev/null; }
# stops N SIGNAL: member N exits with 0.
stops() {
    code=0
    kill "-$2" "$(pid_of "$1")"
    soon gone "$(pid_of "$1")" || return 1
    wait "$(pid_of "$1")" || code=$?
    test "$code" = 0 || { echo "# exit code $code"; return 1; }
}

says 'a member alone serves' alone
"$ctl" --endpoints "$url" put kept value > /dev/null
"$ctl" --endpoints "$url" watch a --prefix > "$place/watched" 2>&1 &
watcher=$!
"$ctl" --endpoints "$url" load --clients 20 --seconds 600 > "$place/load" 2>&1 &
loader=$!
busy() { watched "$url" && test "$(metric "$url" etcd_mvcc_put_total)" -gt 200; }
says 'it is busy' soon busy
says 'SIGTERM in the middle of writes and a watch is a clean stop' stops 1 TERM
kill $watcher $loader 2>/dev/null || :
wait $watcher $loader 2>/dev/null || :
: > "$place/n1.log"
says 'it comes back' alone
kept() { test "$("$ctl" --endpoints "$url" get kept)" = "$(printf 'kept\nvalue')"; }
says 'and has what it had' kept
says 'it says that the directory knows better than --initial flags' \
    grep -q 'the member is back' "$place/n1.log"
says 'SIGINT is a clean stop too' stops 1 INT
pid1=''

rm -rf "$place"/n1*
says 'three members elect a leader' three
again() {
    for n; do
        kill -KILL "$(pid_of "$n")" 2>/dev/null || :
        wait "$(pid_of "$n")" 2>/dev/null || :
        member "$n"
    done
}
other=$((leading % 3 + 1))
third=$((other % 3 + 1))
# With an election timeout this long, only a handover lets anybody write soon.
more_flags='--election-timeout 40000'
again $other
says 'one of them has an endless election timeout' soon same_hash
again $third
says 'and another one' soon same_hash
now_s() { date +%s; }
put_after() {
    from=$(now_s)
    "$ctl" --endpoints "http://127.0.0.1:$((base + other))" --command-timeout 200 put after stop > /dev/null || return 1
    took=$(($(now_s) - from))
    test $took -lt "$1" || { echo "# it took $took s"; return 1; }
}
old=$leading
soon has_leader
says 'the third one leads still' test "$leading" = "$old"
says 'a leader that is told to stop stops' stops "$old" TERM
says 'and has handed over: writes go on at once' put_after 30
more_flags='--heartbeat-interval 250 --election-timeout 2500'
member "$old"
again $other $third
says 'all three can be started again, and are one' soon same_hash
soon has_leader
other=$((leading % 3 + 1))
# What was on its way to the leader when it died has an unknown end; from when
# its death is seen on, nothing is sent there.
losses() { grep -c 'lost the connection' "$place/n$other.log" || :; }
before=$(losses)
lost_one_more() { test "$(losses)" -gt "$before"; }
kill -KILL "$(pid_of "$leading")"
says 'that the leader is dead is seen' soon lost_one_more
says 'a write that finds the leader dead waits for the next one' put_after 200

# What clients were told of the requests under way is what happened.
if ! command -v python3 > /dev/null; then
    skip 'exact outcomes: no python3'
    exit 0
fi
outcomes() { timeout 400 python3 "$(dirname "$0")/outcomes.py" "$@" > "$place/said" 2>&1 || { sed 's/^/# /' "$place/said"; return 1; }; }
# told_the_truth N [or-unknown]: member N stops while clients write to it.
told_the_truth() {
    outcomes stop $((base + $1)) "$(pid_of "$1")" "$place/told" || return 1
    wait "$(pid_of "$1")" || return 1
    soon healthy "http://127.0.0.1:$((base + $1 % 3 + 1))" || return 1
    outcomes compare $((base + $1 % 3 + 1)) "$place/told" ${2:+"$2"}
}
says 'the killed one is back' member "$leading"
says 'and all are one again' soon same_hash
soon has_leader
follower=$((leading % 3 + 1))
says 'a follower that stops tells each client what became of its request' told_the_truth $follower
says 'it comes back' member $follower
says 'and all are one once more' soon same_hash
soon has_leader
says 'and so does a leader that stops' told_the_truth "$leading" or-unknown

for pid in $pid1 $pid2 $pid3; do kill -KILL "$pid" 2>/dev/null || :; done
wait 2>/dev/null || :
rm -rf "$place"/n1*
more_flags='--heartbeat-interval 250 --election-timeout 2500'
says 'a member alone serves again' alone
alone_told_the_truth() {
    outcomes stop "${url##*:}" "$pid1" "$place/told" || return 1
    wait "$pid1" || return 1
    : > "$place/n1.log"
    alone || return 1
    outcomes compare "${url##*:}" "$place/told"
}
says 'and so does a member alone' alone_told_the_truth
