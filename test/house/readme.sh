#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# README shows what is there: readme.sh ROOT.  Its first screen has the two
# commands; its taste is part of the example it names, which is compiled and
# run; its map is what lies at the top and in lib; the examples it lists are
# those there are, each of less than 200 lines; files and manual pages it names exist.
#
# Names here are words without blanks in them.
# shellcheck disable=SC2010,SC2013
set -eu
cd "${1:?usage: readme.sh ROOT}"
status=0
wrong() {
    echo "README: $*"
    status=1
}
for goal in demo check; do
    head -n 24 README | grep -q "^    make $goal " || wrong "make $goal is not on the first screen"
done

# The indented lines behind "A taste", in one piece in the example.
example=$(sed -n 's/^A taste, from \(examples\/[^ ,]*\).*/\1/p' README)
awk '/^A taste/ { on = 1 }
    on && /^    / { print substr($0, 5); seen = 1; next }
    on && seen && /^$/ { held = held "\n"; printf "\n"; next }
    seen { exit }' README | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' > "${TMPDIR:-/tmp}/taste.$$"
trap 'rm -f "${TMPDIR:-/tmp}/taste.$$"' EXIT
lines=$(awk 'END { print NR }' "${TMPDIR:-/tmp}/taste.$$")
test "$lines" -gt 4 || wrong 'there is no taste'
test "$lines" -le 15 || wrong "the taste has $lines lines, not 15"
cat "$example"/*.c 2>/dev/null | awk '
    NR == FNR { taste = taste $0 "\n"; next }
    { all = all $0 "\n" }
    END { exit index(all, taste) == 0 }' "${TMPDIR:-/tmp}/taste.$$" - ||
    wrong "the taste is not what ${example:-no example} says"

# A list of README: the first words of the indented lines in a part of it.
list() { # list FROM TO
    awk -v from="$1" -v to="$2" '$0 ~ from { on = 1 } $0 ~ to { on = 0 }
        on && /^    [^ ]/ { print $1 }' README | LC_ALL=C sort
}
same() { # same WHAT LISTED THERE
    for name in $2; do
        echo "$3" | grep -qxF -e "$name" || wrong "$1 names $name, which is not there"
    done
    for name in $3; do
        echo "$2" | grep -qxF -e "$name" || wrong "$1 does not name $name"
    done
}
# In a clone, what git knows: an editor's own files are nobody's business.
tracked=
test ! -e .git || tracked=$(git ls-files 2>/dev/null | sed 's/\/.*//')
there=$(echo "${tracked:-$(ls -A)}" | sort -u |
    grep -vxE '\.git|build|configure|config\..*|autom4te\.cache|lib|include'
    for room in lib/*/ include/*/; do echo "${room%/}"; done)
same 'the map' "$(list '^A map of the house' '^Where do I look')" "$there"
there=$(cd examples && for folder in [0-9]*/ bindings/*/ server/; do
    test ! -d "$folder" || echo "${folder%/}"
done)
same 'the list of examples' "$(list '^Read the examples' '^What is promised')" "$there"

for file in examples/[0-9]*/*.c; do
    lines=$(awk 'END { print NR }' "$file")
    test "$lines" -lt 200 || wrong "$file has $lines lines; less than 200 are promised"
done

# What is named, in passing.
for file in $(grep -oE '(^|[ (])(lib|examples|test|man)/[a-z0-9/._-]+' README | sed 's/^[ (]//; s/[.]$//' | sort -u); do
    test -e "$file" || wrong "there is no $file"
done
for page in $(grep -oE '(rkv_[a-z_]+|raftkv[a-z-]*|libraft-kv)\([1378]\)' README | sort -u); do
    name=${page%(*}
    test "$name" != rkv_f || continue
    number=${page#*(}
    test -e "man/$name.${number%)}" || grep -qx "$name" test/symbols.txt || wrong "there is no page $page"
done
exit $status
