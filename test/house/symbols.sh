#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The exported names: symbols.sh LIBRARY LIST INCLUDE [ARCHIVE].  The shared
# library exports what the reviewed list says, each name with its version, and
# the headers declare just that; what the static library cannot hide begins
# with rkv_, so that it meets no name of a program's own.
set -eu
library=${1:?usage: symbols.sh LIBRARY LIST INCLUDE}
list=${2:?usage: symbols.sh LIBRARY LIST INCLUDE}
include=${3:?usage: symbols.sh LIBRARY LIST INCLUDE}
here=$(dirname "$0")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

${NM:-nm} -D --defined-only "$library" |
    awk '$2 ~ /[TDBRVW]/ { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort > "$scratch/exported"
if ! diff "$list" "$scratch/exported" > "$scratch/diff"; then
    sed -n -e 's/^< /reviewed but not exported: /p' -e 's/^> /exported but not reviewed: /p' "$scratch/diff"
    status=1
fi
${NM:-nm} -D --defined-only "$library" |
    awk '$2 ~ /[TDBRVW]/ && $3 !~ /@@?RAFTKV_[0-9]/ { print "exported without a version: " $3; bad = 1 }
        END { exit bad }' || status=1
if [ -n "${4-}" ]; then
    ${NM:-nm} -g --defined-only "$4" |
        awk 'NF == 3 && $3 !~ /^rkv_/ { print "visible and without our prefix: " $3; bad = 1 }
            END { exit bad }' || status=1
fi
sh "$here/declared.sh" "$include" > "$scratch/declared"
if ! diff "$list" "$scratch/declared" > "$scratch/diff"; then
    sed -n -e 's/^< /reviewed but not declared: /p' -e 's/^> /declared but not reviewed: /p' "$scratch/diff"
    status=1
fi
exit $status
