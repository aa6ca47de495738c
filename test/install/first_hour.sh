#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# A user's first hour, on what was just installed: first_hour.sh ROOT SCRATCH.
# The examples that need nothing but the library are built the way README says,
# through pkg-config, against the shared library and again against the static
# one, and run.
set -eu
root=$(cd "${1:?usage: first_hour.sh ROOT SCRATCH}" && pwd)
rm -rf "${2:?usage: first_hour.sh ROOT SCRATCH}"
mkdir -p "$2"
cd "$2"
pkg=${PKG_CONFIG:-pkg-config}
cc=${CC:-cc}
lib=${DESTDIR-}${libdir:?}
export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="${DESTDIR-}"

try() { # try NAME FLAGS SOURCE...: build against what is installed, and run
    name=$1
    link=$2
    shift 2
    # shellcheck disable=SC2086,SC2046
    if $cc ${FLAGS-} $($pkg --cflags libraft-kv) -o "$name" "$@" $link -pthread &&
        mkdir "$name.run" && (cd "$name.run" && LD_LIBRARY_PATH="$lib" "../$name" > output 2>&1); then
        echo "ok - installcheck: $name"
    else
        cat "$name.run/output" 2>/dev/null || :
        echo "not ok - installcheck: $name"
        exit 1
    fi
}
# What a static SQLite would want of its own is not ours to ask for: the
# libraries below ours are linked as they are on this system.
below=$($pkg --print-requires-private libraft-kv | sed 's/ .*//')
# shellcheck disable=SC2086
static="$lib/libraft-kv.a $(PKG_CONFIG_SYSROOT_DIR='' $pkg --libs $below)"
for source in "$root"/test/install/*.c "$root"/examples/1-*/*.c; do
    test -e "$source" || continue
    program=$(basename "$source" .c)
    test "${SHARED:-yes}" != yes || try "$program-shared" "$($pkg --libs libraft-kv)" "$source"
    try "$program-static" "$static" "$source"
done
wanted=$(sed -n 's/.*VERSION_STRING "\(.*\)"/\1/p' "$root/include/raftkv/version.h")
test "$($pkg --modversion libraft-kv)" = "$wanted" || {
    echo "not ok - installcheck: libraft-kv.pc says another version than $wanted"
    exit 1
}
