#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Members are killed with SIGKILL at random moments while a writer writes:
# mostly one, sometimes two, sometimes all.  Reads meanwhile are never older
# than what was acknowledged before they began.  What was acknowledged is there
# at the end, on all of them, and they agree on everything.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-20}
seed=${SEED:-$$}
keys=60
more_flags='--snapshot-count 300'

# kill_some ROUND: who dies is drawn; every fifth round nobody is spared.
kill_some() {
    victims=$(($(below 3 "$seed$1") + 1))
    if [ $(($1 % 5)) = 0 ]; then
        victims='1 2 3'
    elif [ $(($1 % 5)) = 3 ]; then
        victims="$victims $((victims % 3 + 1))"
    fi
    for n in $victims; do
        kill -KILL "$(pid_of "$n")"
        wait "$(pid_of "$n")" 2>/dev/null || :
    done
    for n in $victims; do member "$n"; done
}

says 'three members elect a leader' three
: > "$place/all"
reader=''
if command -v python3 > /dev/null; then
    python3 "$(dirname "$0")/fresh.py" "$base" "$place/end" > "$place/fresh" 2>&1 &
    reader=$!
fi
round=1
while [ "$round" -le "$rounds" ]; do
    awk -v r="$round" -v n=$keys 'BEGIN {
        for (i = 1; i <= n; i++) printf "r%dk%d 1/kill value of %d in %d\n", r, i, i, r
    }' > "$place/lines"
    cat "$place/lines" >> "$place/all"
    "$ctl" --endpoints "$all" import "$place/lines" --clients 4 > "$place/import" 2>&1 &
    writer=$!
    sleep "0.$(printf '%02d' "$(below 30 "$seed$round")")"
    kill_some "$round"
    if ! wait $writer; then
        sed 's/^/# /' "$place/import"
        not_ok "round $round of seed $seed: the writer came to an end"
        exit 1
    fi
    round=$((round + 1))
done
ok "a writer got through $rounds rounds of kill -9 (seed $seed)"
: > "$place/end"
if [ -z "$reader" ]; then
    skip 'no read was stale: no python3'
else
    code=0
    wait "$reader" || code=$?
    test $code = 0 || sed 's/^/# /' "$place/fresh"
    case $code in
    0) ok "no read was stale: $(cat "$place/fresh")" ;;
    2) not_ok 'there were enough reads and writes to tell whether one was stale' ;;
    *) not_ok 'no read was stale' ;;
    esac
fi
says 'all members have the same hash afterwards' soon same_hash
if "$ctl" --endpoints "$all" verify "$place/all" > "$place/verify" 2>&1; then
    ok "nothing acknowledged was lost: $(wc -l < "$place/all") keys on each member"
else
    sed 's/^/# /' "$place/verify"
    not_ok 'nothing acknowledged was lost'
fi
