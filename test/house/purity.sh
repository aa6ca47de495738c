#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What the pure rooms import: purity.sh OBJECTS, the folder of lib's objects.
# raft and kv may use what is defined in their own room and in base, and a few
# functions of the C library that compute and nothing else: no I/O, clock,
# randomness or thread.  base, on which they stand, may use those too, the
# system's memory and libsodium's hash.  In raft only the hall refers to the
# allocator.
set -eu
objects=${1:?usage: purity.sh OBJECTS}
nm=${NM:-nm}
status=0

# The checked variants are what a hardened build calls, the ones that end in
# si2 or di3 are the compiler's own arithmetic, and the assertion is how a
# broken promise of the caller ends.
pure='^(mem(cpy|move|set|cmp|chr)|str(n?len|n?cmp|chr)|bsearch|v?snprintf'
pure="$pure"'|__(mem(cpy|move|set)|v?snprintf)_chk|__[a-z]+[sdt]i[234]'
pure="$pure"'|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$'

for room in base raft kv; do
    more='^$'
    test $room != base || more='^(realloc|free|crypto_generichash(_init|_update|_final)?)$'
    # shellcheck disable=SC2046
    set -- $(find "$objects/$room" -name '*.o' 2>/dev/null | LC_ALL=C sort)
    test $# != 0 || continue
    # First what the room and base define, then what the room wants.
    {
        find "$objects/$room" "$objects/base" -name '*.o' 2>/dev/null | while read -r object; do
            $nm --defined-only -g "$object"
        done | awk 'NF == 3 { print "has", $3 }'
        for object in "$@"; do
            $nm -u "$object" | awk -v object="$object" '{ print "wants", $NF, object }'
        done
    } | awk -v pure="$pure" -v more="$more" '
        $1 == "has" { has[$2] = 1; next }
        $2 in has || $2 ~ pure || $2 ~ more { next }
        { print $3 " imports " $2; bad = 1 }
        END { exit bad }' || status=1
done

allocator='^rkv_(alloc|alloc_zeroed|resize|release|grow)$'
for object in "$objects"/raft/*.o; do
    test -e "$object" || continue
    test "${object##*/}" != raft.o || continue
    $nm -u "$object" | awk -v object="$object" -v allocator="$allocator" '
        $NF ~ allocator { print object " refers to " $NF ", which only raft.o may"; bad = 1 }
        END { exit bad }' || status=1
done
exit $status
