#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# raftkvctl: what it prints, what its exit code says, and what it does when
# servers come and go.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"

# prints NAME EXPECTED COMMAND...: exit code 0 and these lines.
prints() {
    name=$1 expected=$2
    shift 2
    if "$ctl" --endpoints "$url" "$@" > "$place/found" 2> "$place/errors" &&
        printf '%s\n' "$expected" | cmp -s - "$place/found"; then
        ok "$name"
    else
        sed 's/^/# /' "$place/found" "$place/errors"
        not_ok "$name"
    fi
}
# fails NAME CODE WORDS COMMAND...: that exit code, and WORDS on stderr.
fails() {
    name=$1 code=$2 words=$3 found=0
    shift 3
    "$ctl" "$@" > "$place/found" 2> "$place/errors" < /dev/null || found=$?
    if [ "$found" = "$code" ] && grep -q -e "$words" "$place/errors"; then
        ok "$name"
    else
        sed 's/^/# /' "$place/found" "$place/errors"
        echo "# exit code $found, expected $code and \"$words\""
        not_ok "$name"
    fi
}
lines() { printf '%s\n' "$@"; }

says 'a member alone serves' alone
prints 'put' OK put a/1 one
prints 'put with what was there' "$(lines OK a/1 one)" put a/1 uno --prev-kv
prints 'put a second' OK put a/2 two
prints 'get' "$(lines a/1 uno)" get a/1
prints 'get by prefix, the last first' "$(lines a/2 two a/1 uno)" get a/ --prefix --order descend
prints 'values only' "$(lines uno two)" get a/ --prefix --print-value-only
prints 'keys only' "$(lines a/1 a/2)" get a/ --prefix --keys-only
prints 'how many' 2 get a/ --prefix --count-only
prints 'one, as it was' "$(lines a/1 one)" get a/ --prefix --limit 1 --rev 2
prints 'in hexadecimal' "$(lines '\x61\x2f\x31' '\x75\x6e\x6f')" get a/1 --hex
prints 'nothing of what is not there' 0 get absent --count-only
prints 'del' 1 del a/2
prints 'a key that looks like a flag' OK put -- --prefix 1
prints 'and back' "$(lines --prefix 1)" get -- --prefix

binary() {
    printf 'a\0b\377\nc' > "$place/value"
    "$ctl" --endpoints "$url" put bytes - < "$place/value" > /dev/null &&
        "$ctl" --endpoints "$url" get bytes --print-value-only > "$place/found" &&
        { cat "$place/value"; echo; } | cmp -s - "$place/found"
}
says 'any bytes go in and come out' binary

# transact NAME EXPECTED: a transaction on standard input.
transact() {
    cat > "$place/txn"
    if "$ctl" --endpoints "$url" txn < "$place/txn" > "$place/found" 2> "$place/errors" &&
        printf '%s\n' "$2" | cmp -s - "$place/found"; then
        ok "$1"
    else
        sed 's/^/# /' "$place/found" "$place/errors"
        not_ok "$1"
    fi
}
transact 'a transaction with the short names etcdctl knows' "$(lines SUCCESS '' OK a/1 uno '' a/1 dos)" <<'END'
ver("a/1") = "2"
c("a/1") > "0"
m("none") = "0"
val("a/1") = "uno"

put a/1 dos --prev-kv
get a/ --prefix --limit=1

get a/1
END
transact 'a transaction with bytes, flags and what to do otherwise' "$(lines FAILURE '' 1 '' 1 a/1 dos)" <<'END'
value("a/1") = "\x64\x6fs!"

put a/1 tres

get "\x61/" --prefix --count-only
del a/ --prefix --prev-kv
END
bad_txn() { { echo; echo "$1"; echo; } | "$ctl" --endpoints "$url" txn > "$place/found" 2>&1 && return 1; test $? = 2 && grep -q -e "$2" "$place/found"; }
says 'a flag that an operation does not know is refused' bad_txn 'get a --keys-onyl' 'get a --keys-onyl'
says 'and so is an operation that is none' bad_txn 'got a' 'expected put KEY VALUE'

fails 'no command' 2 'expected a command'
fails 'a command that is none' 2 'is no command' pot
fails 'a flag the command does not know' 2 'del does not know --limit' del a --limit 3
fails 'a number that is none' 2 'expected a whole number' get a --limit many
fails 'an endpoint that is none' 2 'the port is missing' --endpoints http://x get a
fails 'what the server refuses' 1 'Error: etcdserver: key is not provided' --endpoints "$url" put '' x
fails 'a revision of the future' 1 'Error: etcdserver: mvcc: required revision is a future revision' \
    --endpoints "$url" get a --rev 1000
fails 'nobody there' 3 'no endpoint could be reached; is a raftkvd running there' --endpoints http://127.0.0.1:1 get a
first_dead() { test "$("$ctl" --endpoints "http://127.0.0.1:1,$url" put a b)" = OK; }
says 'the next endpoint is asked when one is not there' first_dead

# A watch outlives its server.
port=${url##*:}
"$ctl" --endpoints "$url" watch w --limit 2 > "$place/watched" 2> "$place/errors" &
watcher=$!
soon watched "$url"
"$ctl" --endpoints "$url" put w 1 > /dev/null
kill -KILL "$pid1"
wait "$pid1" 2>/dev/null || :
sleep 1.5
: > "$place/n1.log"
"$daemon" --name n1 --data-dir "$place/n1" --listen-client-urls "http://127.0.0.1:$port" \
    --listen-peer-urls http://127.0.0.1:0 --heartbeat-interval 20 --election-timeout 100 >> "$place/n1.log" 2>&1 &
pid1=$!
soon healthy "$url"
"$ctl" --endpoints "$url" put w 2 > /dev/null
ended() { ! kill -0 $watcher 2> /dev/null; }
says 'a watch waits for its only server to come back' soon ended
printf 'PUT\nw\n1\nPUT\nw\n2\n' > "$place/expected"
says 'and misses nothing' cmp "$place/expected" "$place/watched"
kill $watcher 2> /dev/null || :
fails 'a watch that never found anybody ends' 3 'Connection refused' --endpoints http://127.0.0.1:1 watch w

# A watch does not stay with a member that has no leader.
rm -rf "$place"/n1*
kill -KILL "$pid1"
wait "$pid1" 2>/dev/null || :
more_flags='--heartbeat-interval 20 --election-timeout 100'
says 'three members elect a leader' three
follower=$((leading % 3 + 1))
third=$((follower % 3 + 1))
"$ctl" --endpoints "http://127.0.0.1:$((base + follower))" watch l --limit 1 > "$place/watched" 2> "$place/errors" &
watcher=$!
soon watched "http://127.0.0.1:$((base + follower))"
kill -STOP "$(pid_of "$leading")" "$(pid_of $third)"
says 'a watch at a member without a leader is told so' soon grep -q 'etcdserver: no leader; trying on' "$place/errors"
kill -CONT "$(pid_of "$leading")" "$(pid_of $third)"
puts() { "$ctl" --endpoints "$all" put l 1; }
says 'there is a leader again' soon puts
says 'and the watch goes on' soon ended
says 'and prints what came' grep -qx 1 "$place/watched"
kill $watcher 2> /dev/null || :
for n in 1 2 3; do kill -KILL "$(pid_of $n)"; done
wait 2> /dev/null || :

# Of a write without an answer nobody knows whether it happened.  A leader that
# hears of nobody leads on for an election timeout: long enough to be asked.
rm -rf "$place"/n?*
more_flags='--heartbeat-interval 100 --election-timeout 4000'
says 'three members elect a leader once more' three
page=http://127.0.0.1:$((base + leading))
for n in 1 2 3; do
    test $n = "$leading" || kill -STOP "$(pid_of $n)"
done
"$ctl" --endpoints "$page" --command-timeout 90 put lost x > "$place/put" 2>&1 &
putter=$!
"$ctl" --endpoints "$page" --command-timeout 90 get lost > "$place/get" 2>&1 &
getter=$!
"$ctl" --endpoints "$page" --command-timeout 90 call /readyz > "$place/ready" 2>&1 &
ready=$!
"$ctl" --endpoints "$page" --command-timeout 90 call /health > "$place/health" 2>&1 &
health=$!
# ends PID CODE FILE WORDS: with that exit code, and WORDS in its output.
ends() {
    found=0
    wait "$1" || found=$?
    test "$found" = "$2" && grep -q -e "$4" "$place/$3" && return
    sed 's/^/# /' "$place/$3"
    echo "# exit code $found, expected $2 and \"$4\""
    return 1
}
says 'of a write without a quorum nobody knows' ends $putter 3 put 'whether it happened is not known'
says 'a read without one fails' ends $getter 1 get 'Error: etcdserver:'
says 'the member is not ready' ends $ready 1 ready '^503 \[-\]linearizable_read failed: '
says 'nor healthy' ends $health 1 health '^503 {"health":"false","reason":"..*"}'
says 'but alive' "$ctl" --endpoints "$page" call /livez
