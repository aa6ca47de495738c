#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Members that are away for a while: one comes back when the others have
# forgotten the log it needs, one is frozen while it leads, and one takes the
# server of a watch with it.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"
more_flags='--snapshot-count 2000'

says 'three members elect a leader' three
round_trips() {
    "$ctl" --endpoints "http://127.0.0.1:$((base + 1))" call /metrics |
        grep -c -q '^etcd_network_peer_round_trip_time_seconds_count{To="[0-9a-f]*"} [1-9]'
}
says 'round trips are measured' soon round_trips
away=$((leading % 3 + 1))
kill -KILL "$(pid_of $away)"
wait "$(pid_of $away)" 2>/dev/null || :
"$ctl" --endpoints "$all" load --clients 100 --requests 25000 --value-size 512 --keys 500 > "$place/load" || :
says 'a member comes back' member $away
says 'and catches up, though the log it needs is gone' soon same_hash
says 'by a snapshot of the leader' grep -q 'took the place of the state' "$place/n$away.log"

# The order of what a watch prints is the order of the writes.
one=$((leading % 3 + 1))
two=$((one % 3 + 1))
"$ctl" --endpoints "http://127.0.0.1:$((base + one)),http://127.0.0.1:$((base + two))" \
    watch seen/ --prefix --limit 200 > "$place/watched" 2> "$place/watch-errors" &
watcher=$!
soon watched "http://127.0.0.1:$((base + one))"
writes() {
    i=$1
    while [ "$i" -le "$2" ]; do
        "$ctl" --endpoints "http://127.0.0.1:$((base + two)),http://127.0.0.1:$((base + leading))" \
            put "seen/$i" "$i" > /dev/null || return 1
        i=$((i + 1))
    done
}
says 'writes that are watched' writes 1 100
kill -KILL "$(pid_of $one)"
wait "$(pid_of $one)" 2>/dev/null || :
says 'more of them, while the server of the watch is dead' writes 101 200
ended() { ! kill -0 $watcher 2> /dev/null; }
says 'the watch came to its limit' soon ended
kill $watcher 2> /dev/null || :
grep -v -e PUT -e seen "$place/watched" > "$place/values" || :
awk 'BEGIN { for (i = 1; i <= 200; i++) print i }' > "$place/expected"
says 'the watch went on elsewhere, saw each once and in order' cmp "$place/expected" "$place/values"
member "$one"
says 'all three are one again' soon same_hash

# One whose machine says nothing any more, not even goodbye.
quiet=$((leading % 3 + 1))
kill -STOP "$(pid_of $quiet)"
silence_seen() { grep -q 'lost the connection to a peer.*silent for too long' "$place/n$leading.log"; }
says 'a peer that is silent is hung up on' soon silence_seen
kill -CONT "$(pid_of $quiet)"
says 'and is one of three when it is back' soon same_hash

soon has_leader
frozen=$(pid_of "$leading")
old=$leading
"$ctl" --endpoints "$all" load --clients 12 --seconds 600 > /dev/null 2>&1 &
loader=$!
puts_at() { metric "http://127.0.0.1:$((base + $1))" etcd_mvcc_put_total; }
grown() { test "$(puts_at "$1")" -ge $(($2 + 200)); }
one=$((old % 3 + 1))
soon grown "$old" "$(puts_at "$old")"
kill -STOP "$frozen"
another_leads() { has_leader && test "$leading" != "$old"; }
says 'another takes the place of a frozen leader' soon another_leads
says 'and writes go on without it' soon grown $one "$(puts_at $one)"
kill -CONT "$frozen"
says 'the frozen leader comes back as one of three' soon same_hash
kill $loader 2> /dev/null || :
wait $loader 2> /dev/null || :
