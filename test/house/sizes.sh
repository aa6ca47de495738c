#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What grew long: sizes.sh ROOT.  A report, not a gate: past the ceiling ask
# which noun is hiding in a file, which thought in a function.
set -eu
cd "${1:?usage: sizes.sh ROOT}"
files=$(find lib include examples test -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
test -n "$files" || exit 0
# shellcheck disable=SC2086
awk '
function close_file() {
    if (name == "") return
    room = name
    if (!sub(/\/[^\/]*$/, "", room)) room = "."
    lines[room] += count
    files[room]++
    ceiling = name ~ /^include\// ? 300 : 600
    if (count > ceiling) printf "%5d lines  %s\n", count, name
}
FNR == 1 { close_file(); name = FILENAME; count = 0; start = 0 }
{ count++ }
/^[a-z].*\(/ && !/;[ \t]*$/ { title = $0; sub(/\(.*/, "", title); sub(/.*[ *]/, "", title) }
/^{/ { start = FNR }
/^}/ && start {
    if (FNR - start - 1 > 70) printf "%5d lines  %s: %s()\n", FNR - start - 1, FILENAME, title
    start = 0
}
END {
    close_file()
    for (room in lines) printf "%5d lines in %3d files  %s\n", lines[room], files[room], room | "sort -k 6"
}' $files
