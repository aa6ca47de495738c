#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The layout of public structs: layout.sh INCLUDE LIST SCRATCH [print].  A
# program is written from the headers that prints each struct's size and each
# field's place; LIST holds what it said when the layout was reviewed.  With
# print it says so again, to be reviewed.  Layouts are those of 64-bit systems;
# elsewhere nothing is compared.
set -eu
include=${1:?usage: layout.sh INCLUDE LIST SCRATCH [print]}
list=${2:?usage: layout.sh INCLUDE LIST SCRATCH [print]}
scratch=${3:?usage: layout.sh INCLUDE LIST SCRATCH [print]}
mkdir -p "$scratch/none"
for name in stddef stdint stdbool; do
    : > "$scratch/none/$name.h"
done
cc=${CC:-cc}

# shellcheck disable=SC2086
$cc -E -P -nostdinc -I"$scratch/none" -I"$include" -DRKV_API= "$include/raftkv/raftkv.h" |
    awk '
    BEGIN {
        print "#include <stddef.h>\n#include <stdio.h>\n#include <raftkv/raftkv.h>"
        print "int main(void)\n{\n    if (sizeof(void *) != 8) return 77;"
    }
    function field(text,    n, part, i, name) {
        if (text ~ /\(\*/) {
            sub(/^[^(]*\(\*[ ]*/, "", text)
            sub(/\).*/, "", text)
            n = 1
            part[1] = text
        } else {
            n = split(text, part, ",")
        }
        for (i = 1; i <= n; i++) {
            name = part[i]
            gsub(/\[[^]]*\]/, "", name)
            sub(/[ \t]+$/, "", name)
            sub(/.*[ \t*]/, "", name)
            printf "    printf(\"%s.%s %%zu\\n\", offsetof(struct %s, %s));\n", at, name, at, name
        }
    }
    !depth && /^[ \t]*struct [a-z_0-9]+ \{/ { at = $2; depth = 1; text = ""; next }
    depth {
        opens = gsub(/\{/, "{")
        closes = gsub(/\}/, "}")
        depth += opens - closes
        if (depth == 0) {
            printf "    printf(\"%s: %%zu\\n\", sizeof(struct %s));\n", at, at
            next
        }
        text = text " " $0
        if (depth == 1 && /;[ \t]*$/) {
            # A struct or union inside is known by its own name.
            if (text ~ /\}/) sub(/.*\}/, "x ", text)
            n = split(text, all, ";")
            for (j = 1; j < n; j++) field(all[j])
            text = ""
        }
    }
    END { print "    return 0;\n}" }' > "$scratch/layout.c"
$cc -std=c11 -I"$include" -o "$scratch/layout" "$scratch/layout.c"
"$scratch/layout" > "$scratch/layout.txt" || {
    test $? = 77
    exit 0
}
if [ "${4-}" = print ]; then
    cat "$scratch/layout.txt"
    exit 0
fi
diff "$list" "$scratch/layout.txt" > "$scratch/diff" && exit 0
sed -n -e 's/^< /reviewed: /p' -e 's/^> /now:      /p' "$scratch/diff"
exit 1
