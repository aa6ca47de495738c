#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Each public header alone, and twice: headers.sh INCLUDE SCRATCH.  As C99 by
# $CC and as C++11 by $CXX, whichever is given.
set -eu
include=${1:?usage: headers.sh INCLUDE SCRATCH}
scratch=${2:?usage: headers.sh INCLUDE SCRATCH}
mkdir -p "$scratch"
strict='-Wall -Wextra -Wpedantic -Wundef -Werror -fsyntax-only'
status=0
for header in "$include"/raftkv/*.h; do
    name=raftkv/${header##*/}
    unit=$scratch/${header##*/}.c
    printf '#include <%s>\n#include <%s>\nextern int unused;\n' "$name" "$name" > "$unit"
    # shellcheck disable=SC2086
    if [ -n "${CC-}" ] && ! $CC -x c -std=c99 $strict -Wstrict-prototypes -I"$include" "$unit"; then
        echo "$name does not stand alone in C99"
        status=1
    fi
    # shellcheck disable=SC2086
    if [ -n "${CXX-}" ] && ! $CXX -x c++ -std=c++11 $strict -I"$include" "$unit"; then
        echo "$name does not stand alone in C++11"
        status=1
    fi
done
exit $status
