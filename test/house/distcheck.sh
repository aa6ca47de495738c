#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What a packager does with a release: distcheck.sh TARBALL.  Unpacked
# read-only, built out of tree with every warning an error, checked, installed
# under DESTDIR, tried from there, and removed again without a trace; all as an
# ordinary user, since for root nothing is read-only.
set -eu
tarball=$(realpath "${1:?usage: distcheck.sh TARBALL}")
name=$(basename "$tarball" .tar.gz)
place=$(mktemp -d)
trap 'chmod -R u+w "$place"; rm -rf "$place"' EXIT
mkdir "$place/home" "$place/tmp" "$place/build"
tar -xzf "$tarball" -C "$place"
chmod -R a-w "$place/$name"
user=
if [ "$(id -u)" = 0 ]; then
    chown -R 65534:65534 "$place"
    chmod 755 "$place"
    user='setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs'
fi

cat > "$place/steps" <<'EOF'
set -eu
place=$1 name=$2
export HOME="$place/home" TMPDIR="$place/tmp"
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES
if touch "$place/$name/written" 2>/dev/null; then
    echo 'the unpacked tree can be written: this proves nothing' >&2
    exit 1
fi
cd "$place/build"
# shellcheck disable=SC2086
"../$name/configure" --quiet --enable-werror --prefix=/usr ${FLAGS-} > configure.out 2>&1 ||
    { cat configure.out; exit 1; }
$MAKE -j2 all programs
$MAKE check
$MAKE install DESTDIR="$place/root"
$MAKE installcheck DESTDIR="$place/root"
$MAKE uninstall DESTDIR="$place/root"
left=$(find "$place/root" ! -type d)
if [ -n "$left" ]; then
    echo "uninstall left: $left" >&2
    exit 1
fi
EOF
export MAKE FLAGS CC
# shellcheck disable=SC2086
if $user sh "$place/steps" "$place" "$name"; then
    echo "ok - distcheck: $name.tar.gz is ready to ship"
else
    echo "not ok - distcheck: $name.tar.gz"
    exit 1
fi
