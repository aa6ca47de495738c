#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Who may include whom: floors.sh ROOT.  Base stands on the C library; raft,
# wire, store and kv on base and the public headers, not on each other; node on
# all of them; examples on the public headers alone.  Each line that breaks
# this is printed.
set -eu
root=${1:?usage: floors.sh ROOT}
cd "$root"
files=$(find lib include examples -name '*.[ch]' 2>/dev/null | LC_ALL=C sort)
test -n "$files" || exit 0

# shellcheck disable=SC2086
awk '
function bad(why) {
    printf "%s:%d: %s %s\n", FILENAME, FNR, why, name
    broken = 1
}
# The place a relative path leads to, from the folder of this file.
function place(path,    part, n, i, out, depth) {
    n = split(folder "/" path, part, "/")
    depth = 0
    for (i = 1; i <= n; i++)
        if (part[i] == "..") depth--
        else if (part[i] != "." && part[i] != "") out[++depth] = part[i]
    path = out[1]
    for (i = 2; i <= depth; i++) path = path "/" out[i]
    return path
}
FNR == 1 {
    folder = FILENAME
    sub(/\/[^\/]*$/, "", folder)
    split(FILENAME, step, "/")
    floor = step[1]
    room = step[1] == "lib" ? step[2] : ""
}
/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    name = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
    sub(/[>"][^>"]*$/, "&", name)
    quoted = name ~ /^"/
    path = name
    sub(/^[<"]/, "", path)
    sub(/[>"].*/, "", path)
    where = quoted ? place(path) : path
    if (!quoted && path ~ /^raftkv\//) where = "include/" path
    public = where ~ /^include\/raftkv\// ? substr(where, 16) : ""

    if (floor == "include") {
        if (quoted && public == "") bad("a public header may not include")
        if (path ~ /^(sqlite3|sodium|uv)\.h$/) bad("a public header may not include")
        next
    }
    if (floor == "examples") {
        split(where, to, "/")
        if (to[1] == "lib" || to[1] == "test") bad("an example may not look behind the doors:")
        else if (quoted && (to[1] != "examples" || to[2] != step[2])) bad("an example may not include")
        next
    }
    # lib: a system header
    if (!quoted && public == "") {
        if (path ~ /^sqlite3/ && room != "store") bad("only store knows SQLite:")
        if (path ~ /^sodium/ && (room == "raft" || room == "kv"))
            bad("raft and kv may not know libsodium:")
        if (path ~ /^(uv|jansson|http_parser)/) bad("the library may not include")
        if (room != "store" && path ~ /^(sys\/|time\.h|unistd\.h|fcntl\.h|pthread\.h|threads\.h|signal\.h|poll\.h|netdb\.h|arpa\/|netinet\/|dirent\.h)/)
            bad("only store may ask the system:")
        next
    }
    if (public != "") {
        if (room == "base" && public != "base.h" && public != "version.h")
            bad("base may not include")
        # The records of requests are what wire codes.
        if (room != "node" && room != "base" && public ~ /^(node|hub|raftkv)\.h$/ &&
            !(room == "wire" && public == "node.h"))
            bad(room " may not look upstairs:")
        next
    }
    split(where, to, "/")
    if (to[1] != "lib") bad("the library may not include")
    else if (to[2] == room || to[2] == "base") next
    else if (room == "node" && to[2] ~ /^(raft|wire|store|kv)$/) next
    else bad(room " may not include")
}
END { exit broken }
' $files
