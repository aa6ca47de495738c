#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The functions that the public headers declare, one a line, sorted:
# declared.sh INCLUDE.
set -eu
include=${1:?usage: declared.sh INCLUDE}
cat "$include"/raftkv/*.h | awk '
    /^[ \t]*#/ { next }
    /^RKV_API / { text = ""; open = 1 }
    open { text = text " " $0 }
    open && /\(/ {
        sub(/\(.*/, "", text)
        n = split(text, word, /[ *\t]+/)
        print word[n]
        open = 0
    }' | LC_ALL=C sort -u
