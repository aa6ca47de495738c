#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The manual keeps up: man.sh MAN SYMBOLS INCLUDE SCRATCH.  The names of
# section 3 are the exported functions, each in one page, and public structs;
# each SYNOPSIS declares the functions of its NAME as the headers do; each
# reference to a page of ours leads somewhere; each literal block with an
# #include in it compiles as it stands.
set -eu
man=${1:?usage: man.sh MAN SYMBOLS INCLUDE SCRATCH}
symbols=${2:?usage: man.sh MAN SYMBOLS INCLUDE SCRATCH}
include=${3:?usage: man.sh MAN SYMBOLS INCLUDE SCRATCH}
scratch=${4:?usage: man.sh MAN SYMBOLS INCLUDE SCRATCH}
test -d "$man" || exit 0
rm -rf "$scratch"
mkdir -p "$scratch"
status=0

said() { # said FILE: lines in it are what is wrong
    test -s "$1" || return 0
    cat "$1"
    status=1
}
set -- "$man"/*.3
if [ -e "$1" ]; then
    # PAGE NAME, for each name of each page.
    awk '
        FNR == 1 { inside = 0; page = FILENAME; sub(/.*\//, "", page) }
        /^\.Sh / { inside = $2 == "NAME" }
        inside && /^\.Nm / { print page, $2 }' "$@" > "$scratch/named"
    cut -d' ' -f2 "$scratch/named" | LC_ALL=C sort > "$scratch/names"
    uniq -d "$scratch/names" | sed 's/$/ is in the NAME of two pages/' > "$scratch/wrong"
    said "$scratch/wrong"
    LC_ALL=C comm -23 "$symbols" "$scratch/names" |
        sed 's/$/ is exported and in the NAME of no page/' > "$scratch/wrong"
    said "$scratch/wrong"
    LC_ALL=C comm -13 "$symbols" "$scratch/names" | while read -r name; do
        cat "$include"/raftkv/*.h 2>/dev/null | grep -q "^struct $name {" ||
            echo "$name is in the NAME of a page, and nothing that is exported"
    done > "$scratch/wrong"
    said "$scratch/wrong"

    # What a SYNOPSIS declares, as C: the compiler sees whether it is so.
    awk -v scratch="$scratch" '
        function words(text,    n) { # the macro arguments of a line, unquoted
            n = 0
            while (match(text, /^ *("[^"]*"|[^ "]+)/)) {
                word[++n] = substr(text, 1, RLENGTH)
                text = substr(text, RLENGTH + 1)
                gsub(/^ *"?|"$/, "", word[n])
            }
            return n
        }
        function declare() {
            sub(/, $/, "", list)
            printf "%s %s(%s);\n", type, name, list > unit
            if (name !~ /^\(/) print page, name > (scratch "/declared")
        }
        FNR == 1 {
            inside = 0
            page = FILENAME
            sub(/.*\//, "", page)
            unit = scratch "/" page ".synopsis.c"
        }
        /^\.Sh / { inside = $2 == "SYNOPSIS" }
        !inside { next }
        /^\.In / { print "#include <" $2 ">" > unit }
        /^\.Ft / { type = substr($0, 5); gsub(/"/, "", type) }
        /^\.Fo / { name = $2; list = "" }
        /^\.Fa / { n = words(substr($0, 4)); for (i = 1; i <= n; i++) list = list word[i] ", " }
        /^\.Fc/ { declare() }
        /^\.Fn / {
            n = words(substr($0, 4))
            name = word[1]
            list = ""
            for (i = 2; i <= n; i++) list = list word[i] ", "
            declare()
        }' "$@"
    touch "$scratch/declared"
    LC_ALL=C sort "$scratch/declared" > "$scratch/shown"
    while read -r page name; do
        ! grep -qx "$name" "$symbols" || echo "$page $name"
    done < "$scratch/named" | LC_ALL=C sort > "$scratch/promised"
    LC_ALL=C comm -3 "$scratch/promised" "$scratch/shown" |
        sed 's/^[[:blank:]]*\([^ ]*\) \(.*\)/\1: \2 is not in both NAME and SYNOPSIS/' > "$scratch/wrong"
    said "$scratch/wrong"
fi

# An article that begins an item or a heading is a macro to mdoc, and vanishes.
grep -nE '^\.(It|Sh|Ss|Em|Dq|Pq|Nd) (An|At|Do|So|No) ' /dev/null "$man"/*.[1-9] |
    sed 's/^.*\/\([^/]*\)$/\1: write \\\&An, the word is a macro/' > "$scratch/wrong" || :
said "$scratch/wrong"

# References to pages of ours.
{
    for page in "$man"/*.[1-9]; do
        page=${page##*/}
        echo "has ${page%.*} ${page##*.}"
    done
    test ! -e "$scratch/names" || sed 's/.*/has & 3/' "$scratch/names"
    awk '/^\./ && match($0, /Xr [^ ]+ [1-9]/) {
        split(substr($0, RSTART, RLENGTH), word, " ")
        print FILENAME, word[2], word[3]
    }' "$man"/*.[1-9]
} | awk '
    $1 == "has" { has[$2 "(" $3 ")"] = 1; next }
    $2 ~ /^(rkv_|raftkv|libraft-kv)/ && !(($2 "(" $3 ")") in has) {
        sub(/.*\//, "", $1)
        print $1 ": there is no " $2 "(" $3 ")"
    }' > "$scratch/wrong"
said "$scratch/wrong"

# An example is C as it stands, but for roff's way to write a backslash.
for page in "$man"/*.[1-9]; do
    test -e "$page" || continue
    awk -v stem="$scratch/$(basename "$page")" '
        /^\.Bd / { inside = /-literal/; text = ""; is_c = 0; next }
        /^\.Ed/ {
            if (inside && is_c) { unit = stem "." ++n ".c"; printf "%s", text > unit; close(unit) }
            inside = 0
            next
        }
        inside {
            if (/^#include/) is_c = 1
            line = $0
            sub(/^\\&/, "", line)
            gsub(/\\e/, "\\", line)
            gsub(/\\\(rs/, "\\", line)
            gsub(/\\\(aq/, "\047", line)
            gsub(/\\\(dq/, "\"", line)
            gsub(/\\-/, "-", line)
            text = text line "\n"
        }' "$page"
done
for unit in "$scratch"/*.c; do
    test -e "$unit" || continue
    if ! ${CC:-cc} -std=c11 -Wall -Wextra -Werror -I"$include" -fsyntax-only "$unit"; then
        echo "what $(basename "$unit" .c) shows does not compile"
        status=1
    fi
done
exit $status
