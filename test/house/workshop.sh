#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The build itself, tried on a copy that holds the ground floor only:
# workshop.sh ROOT SCRATCH.  From nothing to a library in one command; what
# changes is made anew, and what did not is not; an installation can be taken
# back; and what cannot work is refused with a word that helps.
set -eu
root=$(cd "${1:?usage: workshop.sh ROOT SCRATCH}" && pwd)
rm -rf "${2:?usage: workshop.sh ROOT SCRATCH}"
mkdir -p "$2"
cd "$2"
topic=workshop
# shellcheck source=plant.sh
. "$root/test/house/plant.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES DESTDIR
mkdir -p tree/lib tree/test bin
cp -R "$root/Makefile" "$root/configure.ac" "$root/.ci" "$root/include" "$root/pkgconfig" \
    "$root/man" tree
cp -R "$root/lib/base" tree/lib
cp -R "$root/test/house" "$root/test/install" tree/test
chmod -R u+w tree

# A Debian whose packages are the lines of `there`.
printf '%s\n' '#!/bin/sh' 'shift 3' "sed 's/^/ii  /' $PWD/there" > bin/dpkg-query
chmod +x bin/dpkg-query
PATH=$PWD/bin:$PATH
put there libsodium-dev
build() { "${MAKE:-make}" --no-print-directory -C tree CONFIGURE_FLAGS="--without-server --quiet" "$@"; }

passes 'one command, from nothing to a library' build all
passes 'products lie in build' test -f tree/build/libraft-kv.a -a -f tree/build/libraft-kv.pc
(cd tree && LC_ALL=C ls -A) > all
grep -vxE 'Makefile|configure\.ac|\.ci|include|pkgconfig|man|lib|test' all > heard || :
passes 'and nothing else at the top but what is ignored' \
    sh -c '! grep -vxE "build|configure|config\..*|autom4te\.cache" heard'

printf '/%s\n' build configure 'config.*' autom4te.cache > ignored
passes 'which is what git is told to ignore' cmp ignored "$root/.gitignore"

# ---- made anew, or not
again() { # again SENTENCE: make has nothing to do
    build all > said 2>&1
    if ! grep -qE ' (CC|LD|AR) |checking' said; then verdict yes "$1"; else verdict no "$1"; fi
}
asked() { # asked SENTENCE: configure has run again
    build all > said 2>&1
    if grep -q 'running .*configure' said; then verdict yes "$1"; else verdict no "$1"; fi
}
again 'a second make does nothing'
sleep 1
sed 's/\(VERSION_STRING "\)[^"]*/\19.8.7/' tree/include/raftkv/version.h > version.h
mv version.h tree/include/raftkv/version.h
asked 'another version asks anew'
passes 'and says so to pkg-config' grep -qx 'Version: 9.8.7' tree/build/libraft-kv.pc
again 'once'
sleep 1
touch tree/configure.ac
asked 'another configure.ac asks anew'
again 'once, too'
put there libsodium-dev libsqlite3-dev
asked 'a package that came asks anew'
again 'once, as well'
put tree/lib/base/guest.c 'int rkv_guest(void);' 'int rkv_guest(void)' '{' '    return 0;' '}'
build all > said 2>&1
passes 'a new file is found' sh -c 'ar t tree/build/libraft-kv.a | grep -qx guest.o'
rm tree/lib/base/guest.c
build all > said 2>&1
passes 'and missed when it has gone' sh -c '! ar t tree/build/libraft-kv.a | grep -qx guest.o'

# ---- help
goals='demo check check-san check-valgrind check-sim lint bench sizes deps deps-dev
install uninstall installcheck dist distcheck clean'
build help > heard
for goal in $goals; do
    grep -qE "^make .*\\<$goal\\>" heard || echo "$goal"
done > unnamed
passes 'help names every goal' test ! -s unnamed

# ---- install and uninstall
passes 'install' build install DESTDIR="$PWD/inst" prefix=/opt/kv
sh "$root/test/house/declared.sh" tree/include | while read -r name; do
    test -e "inst/opt/kv/share/man/man3/$name.3" || echo "$name"
done > unnamed
passes 'every function has its page there' test ! -s unnamed
passes 'so are both libraries and the declarations without a preprocessor' \
    sh -c 'cd inst/opt/kv && test -f lib/libraft-kv.a -a -L lib/libraft-kv.so -a -s share/libraft-kv/libraft-kv.cdef'
passes 'pkg-config is told the prefix' grep -qx 'prefix=/opt/kv' inst/opt/kv/lib/pkgconfig/libraft-kv.pc
passes 'a program is built against it, shared and static' \
    build installcheck DESTDIR="$PWD/inst" prefix=/opt/kv
cp inst/opt/kv/lib/pkgconfig/libraft-kv.pc kept.pc
plant_pc() { # plant_pc SENTENCE FROM TO
    sed "s|$2|$3|" kept.pc > inst/opt/kv/lib/pkgconfig/libraft-kv.pc
    refuses "$1" 'not ok - installcheck' build installcheck DESTDIR="$PWD/inst" prefix=/opt/kv
}
plant_pc 'a wrong folder of headers is found' '^includedir=.*' 'includedir=/nowhere'
plant_pc 'a wrong library is found' '-lraft-kv' '-lraft-kw'
plant_pc 'a wrong version is found' '^Version: ' '&1'
passes 'uninstall' build uninstall DESTDIR="$PWD/inst" prefix=/opt/kv
find inst ! -type d > left
passes 'leaves nothing' test ! -s left
mkdir out
# shellcheck disable=SC2016
passes 'out of tree' sh -c 'cd out && ../tree/configure --quiet --without-server && "${MAKE:-make}" all && test -f build/libraft-kv.a'

# ---- refused with a word that helps
refuses 'a blank in DESTDIR is refused' 'blank' build install DESTDIR="$PWD/in st"
refuses 'a blank in the prefix is refused' 'blank' build uninstall prefix='/opt/k v'
cp -R tree 'tr ee'
refuses 'a blank in the path is refused' 'blank' "${MAKE:-make}" -C 'tr ee' all
rm -rf 'tr ee' tree/configure tree/config.status
refuses 'without autoconf, the way out is named' 'make deps' build all AUTOCONF=no-autoconf
exit "$failed"
