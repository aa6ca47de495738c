#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The flags of a program and of its page are the same: flags.sh PROGRAM PAGE.
# What counts is what --help prints.
set -eu
program=${1:?usage: flags.sh PROGRAM PAGE}
page=${2:?usage: flags.sh PROGRAM PAGE}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$program" --help | grep -oE -e '--[a-z][a-z-]*[a-z]' | LC_ALL=C sort -u > "$scratch/help"
awk '/^\./ && / Fl |^\.Fl / {
    for (i = 1; i <= NF; i++)
        if ($i ~ /^-[a-z][a-z-]*[a-z]$/) print "-" $i
}' "$page" | LC_ALL=C sort -u > "$scratch/page"
LC_ALL=C comm -3 "$scratch/help" "$scratch/page" > "$scratch/differ"
test -s "$scratch/differ" || exit 0
sed -e "s|^--.*|${page##*/}: & is only in --help|" \
    -e "s|^[[:blank:]]\(--.*\)|${page##*/}: \1 is only in the page|" "$scratch/differ"
exit 1
