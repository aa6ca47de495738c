#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# mutants.sh SRC OUT SIM [NAME...]: is the simulator of any use?  Each patch in
# test/sim/mutants breaks the library in one way that has cost somebody data;
# it is applied to a copy, and the simulator built of it must find that
# something is broken.  Says by which judge, after how many seeds and seconds.
#
# COMPILE, LINK, OBJECTS, LIBRARY and LIBS come from make: only what a patch
# touches is compiled anew, and stands before the library when it is linked.
# SEEDS bounds the search, SECONDS_MAX what one mutant may take.  What was
# found of SHRUNK is also made small, and the small one must still be broken.
set -u
src=$(cd "$1" && pwd)
mkdir -p "$2" && out=$(cd "$2" && pwd) || exit 1
sim=$3
shift 3
seeds=${SEEDS:-4000} seconds=${SECONDS_MAX:-300}
bad=0

# Those of the copy that the patch makes anew: a header, all of its room.
touched() {
    sed -n 's|^+++ b/||p' "$1" | while read -r file; do
        case $file in
        *.c) echo "$file" ;;
        *.h) (cd "$2" && echo "${file%/*}"/*.c | tr ' ' '\n') ;;
        esac
    done | sort -u
}

# shrinks FOLDER JUDGE: the command that is printed last repeats what was found.
shrinks() {
    seed=$(sed -n 's/^seed \([0-9]*\): broken.*/\1/p' "$1/said" | head -n 1)
    timeout "$seconds" "$1/sim" --seed "$seed" --shrink > "$1/shrunk" || return 1
    sed -n 's/^\(whole\|shrunk\): /# \1: /p' "$1/shrunk"
    (cd "$1" && eval "./$(tail -n 1 shrunk)") > "$1/again"
    grep -qF "$2" "$1/again"
}

# build PATCH FOLDER: the simulator of a broken library.
build() {
    rm -rf "$2"
    mkdir -p "$2" && cp -R "$src/lib" "$2/lib" || return 1
    (cd "$2" && patch -p1 -s -f --fuzz=0 < "$1") > "$2/log" 2>&1 || return 1
    broken=''
    for file in $(touched "$1" "$2"); do
        object=$2/$(echo "${file%.c}.o" | tr / _)
        # shellcheck disable=SC2086
        $COMPILE -w -c -o "$object" "$2/$file" >> "$2/log" 2>&1 || return 1
        broken="$broken $object"
    done
    # shellcheck disable=SC2086
    $LINK -o "$2/sim" $broken $OBJECTS $LIBRARY $LIBS >> "$2/log" 2>&1
}

# found FOLDER: what the simulator said of it; nothing when all was well.
found() {
    timeout "$seconds" "$1/sim" --until-broken --seeds "$seeds" --jobs 2 > "$1/said" 2>&1
    case $? in
    0 | 124) return ;;
    *)
        sed -n 's/^seed [0-9]*: broken at [0-9]*: \([^:]*\):.*/\1/p
                s/.*Assertion .* failed\./an assertion/p
                s/.*a worker was ended by/a process ended by/p' "$1/said" | head -n 1
        ;;
    esac
}

if test $# = 0; then
    set -- "$src"/test/sim/mutants/*.patch
fi
if ! "$sim" --seeds 20 > "$out/sound" 2>&1; then
    echo 'not ok - mutants: the sound library is found to be broken'
    exit 1
fi
for name; do
    name=${name##*/} name=${name%.patch}
    folder=$out/$name
    if ! build "$src/test/sim/mutants/$name.patch" "$folder"; then
        echo "not ok - mutant $name: it cannot be built any more"
        sed 's/^/# /' "$folder/log"
        bad=1
        continue
    fi
    began=$(date +%s)
    judge=$(found "$folder")
    took=$(($(date +%s) - began))
    tried=$(sed -n 's/^sim: \([0-9]*\) seeds.*/\1/p' "$folder/said")
    if test -n "$judge"; then
        echo "ok - mutant $name: $judge; ${tried:-?} seeds, $took s"
        if test "$name" = "${SHRUNK:-half-of-a-joint-quorum}"; then
            if shrinks "$folder" "$judge"; then
                echo "ok - mutant $name: and a small scenario shows it"
            else
                echo "not ok - mutant $name: but no small scenario shows it"
                bad=1
            fi
        fi
        rm -rf "$folder"
    else
        echo "not ok - mutant $name: not found by ${tried:-?} seeds in $took s"
        bad=1
    fi
done
exit $bad
