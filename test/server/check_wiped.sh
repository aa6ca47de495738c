#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# A member that comes back without what it promised is not heard, whatever its
# starts count and whoever was started again in between, and all say why; with
# its directory put back it is one of them again.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"

stop() {
    for n; do
        kill -KILL "$(pid_of "$n")"
        wait "$(pid_of "$n")" 2>/dev/null || :
        : > "$place/n$n.log"
    done
}
# keep N: its directory is away, and it has none.
keep() { mv "$place/n$1" "$place/kept"; }
# put_back N: it has that one again.
put_back() {
    rm -rf "$place/n$1"
    mv "$place/kept" "$place/n$1"
}
# met: all have met each other, and member 3 in a later start than last time,
# and will remember.
start=0
met() {
    for n in 1 2 3; do
        test "$(wc -l < "$place/n$n/peers")" = 5 || return 1
    done
    seen=$(sed -n "s/^$id \([0-9]*\) .*/\1/p" "$place/n1/peers" "$place/n2/peers" | uniq)
    test "$(echo "$seen" | wc -l)" = 1 && test "$seen" -gt "$start" || return 1
    start=$seen
}
# told N WORDS: member N is told, in such words.
told() { grep -q "msg=\"this member has lost its data\" .*$2.*do=" "$place/n$1.log"; }
# noticed N WORDS: so is member N of another one.
noticed() { grep -q "msg=\"a peer has lost its data\" .*$2.*do=" "$place/n$1.log"; }
unheard() { ! grep -q 'connected to a peer' "$place/n$1.log"; }
# on_disk_first N: no peer is connected before it is on disk that it was met.
on_disk_first() {
    awk '/msg="what is known of the peers is kept"/ { kept = substr($0, match($0, /peers=[0-9]*$/) + 6) }
        /msg="connected to a peer"/ { if (!seen[$NF]++ && ++met > kept) early = 1 }
        END { exit early || met != 2 }' "$place/n$1.log"
}
writes() { "$ctl" --endpoints "http://127.0.0.1:$((base + $1))" put still here; }
warned() { grep -q "level=warn .*msg=\"what was known of the peers is $2\" .*path=.*do=" "$place/n$1.log"; }

more_flags='--log-level debug'
says 'three members elect a leader' three
id=$(sed -n 's/.*msg=ready .* id=\([0-9a-f]*\) .*/\1/p' "$place/n3.log")
says 'and know each other' soon met
says 'the first time nobody misses what is known of them' test -z "$(grep 'was known of the peers' "$place"/n?.log)"
says 'each line is up when the disk knows of it, and not before' soon on_disk_first 2

# As many starts as before: all that tells it is another directory.
stop 3
keep 3
member 3
says 'a wiped member is told so, though it counts as many starts' soon told 3 'incarnation=.*known_to_peer='
says 'one peer noticed' soon noticed 1 'expected_incarnation=.*found='
says 'and so did the other' soon noticed 2 'expected_incarnation=.*found='
says 'nobody is connected to it' unheard 3
says 'the others go on without it' soon writes 1
stop 3
put_back 3
member 3
says 'with its directory put back it is one of three' soon same_hash
says 'which they will remember' soon met

# Peers that were started again have not forgotten whom they met.
stop 1 2 3
keep 3
for n in 1 2 3; do member $n; done
says 'a member that was wiped while all were down is told so' soon told 3 'incarnation=.*known_to_peer='
says 'a peer that was down meanwhile noticed' soon noticed 1 'expected_incarnation=.*found='
says 'and so did the other that was' soon noticed 2 'expected_incarnation=.*found='
says 'nobody is connected to the wiped one' unheard 3
stop 1 2 3
put_back 3
for n in 1 2 3; do member $n; done
says 'put back, all three are one again' soon same_hash
says 'and have met' soon met

# An older copy of a directory counts starts that its peers have seen.
stop 3
cp -R "$place/n3" "$place/kept"
for which in one another; do
    member 3
    says "$which start of a member is seen by all" soon met
    stop 3
done
stop 1 2
mv "$place/n3" "$place/newest"
put_back 3
for n in 1 2 3; do member $n; done
says 'an old copy of a directory is told so' soon told 3 'start=.*known_to_peer='
says 'a peer noticed the old copy' soon noticed 1 'expected_start=.*found='
says 'and so did the other one' soon noticed 2 'expected_start=.*found='
says 'nobody is connected to the old copy' unheard 3
stop 1 2 3
mv "$place/newest" "$place/kept"
put_back 3

# What is known of the others may be lost too: that is no reason not to serve.
dd if=/dev/zero of="$place/n1/peers" bs=1 seek=30 count=4 conv=notrunc 2> /dev/null
rm "$place/n2/peers"
for n in 1 2 3; do member $n; done
says 'a member whose memory of its peers is damaged starts, and warns' soon warned 1 damaged
says 'a member that has none starts, and warns' soon warned 2 missing
says 'the third one does not' test -z "$(grep 'was known of the peers' "$place/n3.log")"
says 'and all three are one' soon same_hash
stop 1 2 3
for n in 1 2 3; do member $n; done
says 'and still are when they are started again' soon same_hash
says 'all have met' soon met
whole_again() { ! grep 'was known of the peers' "$place/n1.log" "$place/n2.log"; }
says 'both have a sound memory again' whole_again
stop 1 2 3
keep 3
for n in 1 2 3; do member $n; done
says 'which is of use: one notices a wiped member' soon noticed 1 'expected_incarnation=.*found='
says 'and so does the other' soon noticed 2 'expected_incarnation=.*found='

# One that has no peers has nothing to know of them.
for n in 1 2 3; do kill -KILL "$(pid_of $n)"; done
wait 2> /dev/null || :
rm -rf "$place"/n?*
says 'a member alone serves' alone
stop 1
rm -f "$place/n1/peers"
says 'and does so again' alone
says 'without a warning about peers' test -z "$(grep 'was known of the peers' "$place/n1.log")"
