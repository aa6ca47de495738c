#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What clang-format does not see: style.sh ROOT.  Each source names its
# licence at its top, C lines end by column 80, and nothing is left for later
# in a comment: what is not done is not promised.
set -eu
cd "${1:?usage: style.sh ROOT}"
files=$(find lib include examples test man .ci Makefile configure.ac .clang-format .clang-tidy \
    .editorconfig -type f -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \
    -o -name '*.mk' -o -name '*.proto' -o -name '*.[1-9]' -o -path '.ci/*' -type f \
    -o -path Makefile -o -path configure.ac -o -path '.[ce]*' -type f 2>/dev/null | LC_ALL=C sort)
test -n "$files" || exit 0
# shellcheck disable=SC2086
LC_ALL=C awk '
function bad(why) { printf "%s:%d: %s\n", name, FNR, why; broken = 1 }
function close_file() { if (name != "" && !licensed) { printf "%s: no SPDX line at its top\n", name; broken = 1 } }
FNR == 1 { close_file(); name = FILENAME; licensed = 0; is_c = name ~ /\.[ch]$/ }
FNR <= 2 && /SPDX-License-Identifier: BSD-2-Clause/ { licensed = 1 }
is_c {
    line = $0
    # Bytes that continue a UTF-8 character take no column.
    gsub(/[\200-\277]/, "", line)
    if (length(line) > 80) bad("longer than 80 columns")
    if (line ~ /\t/) bad("a tab")
    if (line ~ /[ \t]$/) bad("a blank at its end")
    if (line ~ /(TO)(DO)|(FIX)(ME)/) bad("left for later")
}
END { close_file(); exit broken }
' $files
