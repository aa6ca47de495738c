#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What a person may type wrong is refused with words that help.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"

# refuses NAME CODE WORDS FLAGS...: exits with CODE and says WORDS.
refuses() {
    name=$1 code=$2 words=$3
    shift 3
    found=0
    timeout "$patience" "$daemon" --data-dir "$place/refused" "$@" > "$place/said" 2>&1 || found=$?
    if [ "$found" = "$code" ] && grep -q -e "$words" "$place/said"; then
        ok "$name"
    else
        sed 's/^/# /' "$place/said"
        echo "# exit code $found, expected $code and \"$words\""
        not_ok "$name"
    fi
}

refuses 'an unknown flag' 2 'help lists the flags' --no-such-flag
refuses 'something that is no flag' 2 'expected flags only' start
refuses 'an https URL' 2 'https is not there yet' --listen-client-urls https://127.0.0.1:2379
refuses 'an https peer URL' 2 'https is not there yet' --listen-peer-urls https://127.0.0.1:2380
refuses 'an https member' 1 'https is not there yet' --name a --listen-client-urls http://127.0.0.1:0 \
    --listen-peer-urls http://127.0.0.1:0 --initial-cluster a=https://127.0.0.1:2380
refuses 'a URL without a port' 2 'the port is missing' --listen-client-urls http://127.0.0.1
refuses 'a URL that is none' 2 'expected http://HOST:PORT' --listen-client-urls 127.0.0.1:2379
refuses 'an election timeout below five heartbeats' 2 'at least five heartbeat' \
    --heartbeat-interval 100 --election-timeout 400
refuses 'an election timeout beyond 50 s' 2 'at most 50000' --election-timeout 60000
refuses 'a heartbeat of nothing' 2 'at least 1 ms' --heartbeat-interval 0
refuses 'a number that is none' 2 'expected a whole number' --snapshot-count many
refuses 'a duration without a unit' 2 'expected a duration like' --watch-progress-notify-interval 10
refuses 'a retention without a unit' 2 'expected a duration like' --auto-compaction-retention 1
refuses 'a log level that is none' 2 'expected debug' --log-level loud
refuses 'a cluster state that is none' 2 'expected new or existing' --initial-cluster-state old
refuses 'a cluster without this member' 1 'does not name' --name x --listen-client-urls http://127.0.0.1:0 \
    --listen-peer-urls http://127.0.0.1:0 --initial-cluster a=http://127.0.0.1:2380
refuses 'advertised URLs that differ from the cluster' 1 'make them the same' --name a \
    --listen-client-urls http://127.0.0.1:0 --listen-peer-urls http://127.0.0.1:0 \
    --initial-cluster a=http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2381
refuses 'joining a running cluster' 1 'not there yet' --listen-client-urls http://127.0.0.1:0 \
    --listen-peer-urls http://127.0.0.1:0 --initial-cluster-state existing
RAFTKVD_ELECTION_TIMEOUT=1 refuses 'a bad value from the environment' 2 'at least five heartbeat'
if [ "$(id -u)" = 0 ]; then
    skip 'a data directory that cannot be made (root can)'
else
    refuses 'a data directory that cannot be made' 1 'cannot make the data directory' \
        --data-dir /proc/no/such --listen-client-urls http://127.0.0.1:0 --listen-peer-urls http://127.0.0.1:0
fi

prints_flags() { "$daemon" --help | grep -q -e --initial-cluster-token; }
prints_versions() { test "$("$daemon" --version | wc -l)" = 2; }
says '--help prints every flag' prints_flags
says '--version prints two versions' prints_versions

# Directories that are mixed up.
says 'three members start' three
soon same_hash
mixed_up() {
    "$daemon" --name n2 --data-dir "$place/n3" --listen-client-urls http://127.0.0.1:0 \
        --listen-peer-urls http://127.0.0.1:0 --initial-cluster "$cluster" > "$place/second" 2>&1 && return 1
    grep -q 'belongs to another member.*directory=n3 flags=n2' "$place/second"
}
kill -KILL "$pid3"
wait "$pid3" 2>/dev/null || :
says 'the directory of another member is refused' mixed_up
: > "$place/n3.log"
more_flags='--initial-cluster-token other' member 3
says 'a directory of another cluster than the flags say is warned about' \
    soon grep -q 'level=warn .*belongs to another cluster' "$place/n3.log"

# Two members of clusters that differ by a typo in the token.
kill -KILL "$pid3"
wait "$pid3" 2>/dev/null || :
rm -rf "$place/n3"
: > "$place/n1.log"
more_flags='--initial-cluster-token other' member 3
says 'a wrong token shows as a cluster ID mismatch, on the one' \
    soon grep -q 'msg="cluster ID mismatch" .*expected=' "$place/n3.log"
mismatch_seen() { grep -q 'cluster ID mismatch' "$place"/n[12].log; }
says 'and on the other' soon mismatch_seen
used() {
    "$daemon" --name n1 --data-dir "$place/n1" --listen-client-urls http://127.0.0.1:0 \
        --listen-peer-urls http://127.0.0.1:0 > "$place/second" 2>&1 && return 1
    grep -q 'RKV_ELOCKED' "$place/second"
}
says 'a second server on one data directory is refused' used
# Lists of URLs: two doors for clients, and peers whose first URL is dead.
pair=p=http://127.0.0.1:1,p=http://127.0.0.1:$((base + 21)),q=http://127.0.0.1:1,q=http://127.0.0.1:$((base + 22))
"$daemon" --name p --data-dir "$place/p" --listen-client-urls "http://127.0.0.1:$((base + 23)),http://localhost:$((base + 24))" \
    --listen-peer-urls "http://127.0.0.1:$((base + 21))" --initial-cluster "$pair" \
    --initial-advertise-peer-urls "http://127.0.0.1:$((base + 21)),http://127.0.0.1:1" \
    --advertise-client-urls http://one:1,http://two:2 > "$place/n8.log" 2>&1 &
pid_p=$!
RAFTKVD_NAME=q RAFTKVD_DATA_DIR=$place/q RAFTKVD_LISTEN_CLIENT_URLS=http://127.0.0.1:0 \
    RAFTKVD_LISTEN_PEER_URLS=http://127.0.0.1:$((base + 22)) RAFTKVD_INITIAL_CLUSTER=$pair "$daemon" > "$place/n9.log" 2>&1 &
pid_q=$!
says 'a peer is found at the second of its URLs' soon healthy "http://127.0.0.1:$((base + 23))"
says 'a second door for clients is open' soon healthy "http://localhost:$((base + 24))"
both_listed() { "$ctl" --endpoints "http://127.0.0.1:$((base + 23))" member list | grep -q ', p, .*, http://one:1,http://two:2, false'; }
says 'both places to go are in the member list' soon both_listed
kill -KILL $pid_p $pid_q
wait $pid_p $pid_q 2>/dev/null || :

nowhere() {
    "$daemon" --name z --data-dir "$place/z" --listen-client-urls http://0.0.0.0:0 \
        --listen-peer-urls http://127.0.0.1:0 > "$place/n9.log" 2>&1 &
    pid=$!
    soon grep -q 'level=warn.*msg="clients are told to go to an address that is none".*--advertise-client-urls' "$place/n9.log"
    found=$?
    kill -KILL $pid
    wait $pid 2>/dev/null || :
    return $found
}
says 'an address that is none is not advertised in silence' nowhere
taken() {
    "$daemon" --name y --data-dir "$place/y" --listen-client-urls "http://127.0.0.1:$((base + 1))" \
        --listen-peer-urls http://127.0.0.1:0 > "$place/second" 2>&1 && return 1
    grep -q 'cannot listen.*choose another port' "$place/second"
}
says 'a port that is taken is named' taken
