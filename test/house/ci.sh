#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The two scripts of .ci, tried with a make and a Debian that are made up:
# ci.sh ROOT SCRATCH.  What .ci/run counts must be what was printed, and its
# last line must say so; .ci/deps must ask for what is missing and nothing else.
#
# What is printed here is expanded by the programs that are made of it.
# shellcheck disable=SC2016
set -eu
root=$(cd "${1:?usage: ci.sh ROOT SCRATCH}" && pwd)
rm -rf "${2:?usage: ci.sh ROOT SCRATCH}"
mkdir -p "$2"
cd "$2"
topic=ci
# shellcheck source=plant.sh
. "$root/test/house/plant.sh"
mkdir -p tree/.ci bin
cp "$root/.ci/run" "$root/.ci/deps" tree/.ci/
script() { # script FILE LINE...: a program in the folder of programs
    put "$@"
    chmod +x "$1"
}
script tree/configure '#!/bin/sh'

# ---- run: each goal of make says what `says` holds, and ends as that says.
script bin/make '#!/bin/sh' \
    'for goal; do case $goal in -*|*=*) continue ;; esac' \
    'echo "goal $goal"; case $goal in check) . ./says ;; esac; done'
run() { (cd tree && PATH="$PWD/../bin:$PATH" sh .ci/run); }
ends() { # ends SENTENCE STATUS LINE LINE: how it ended, and its last two lines
    run > all 2>&1 && status=0 || status=$?
    { tail -n 2 all; echo "status $status"; } > said
    printf '%s\n' "$3" "$4" "status $2" > wanted
    if cmp -s said wanted; then verdict yes "$1"; else verdict no "$1"; fi
}
mkdir -p tree/build/library
says() { # says LINE...: what make check prints, here and without the server
    put tree/says "$@"
    cp tree/says tree/build/library/says
}
says 'echo "100%: Checks: 7, Failures: 0, Errors: 0"' 'echo "ok - a"' 'echo "skip - b: no b"'
ends 'run: passed and skipped are counted, the last line is exact' 0 '2 skipped' '16 passed, 0 failed'
says 'echo "57%: Checks: 7, Failures: 2, Errors: 1"; exit 2'
ends 'run: failures and errors of Check are counted' 1 '0 skipped' '8 passed, 6 failed'
says 'echo "ok - a"; echo "not ok - b"; exit 2'
ends 'run: a check that is not ok is counted' 1 '0 skipped' '2 passed, 2 failed'
says 'echo "ok - a"; echo "not ok - b"'
ends 'run: it fails even if make did not notice' 1 '0 skipped' '2 passed, 2 failed'
says 'echo "ok - a"; exit 2'
ends 'run: a step that ends badly without a word is a failure' 1 '0 skipped' '2 passed, 2 failed'
says ':'
ends 'run: a run in which nothing passed is a failure' 1 '0 skipped' '0 passed, 1 failed'
says 'echo "ok - a"'
run > all 2>&1 || :
sed -n 's/^goal //p' all | LC_ALL=C sort -u | tr '\n' ' ' > heard
passes 'run: every goal is called' grep -qx 'check check-explore check-mutants check-san check-sim deps deps-dev distcheck lint ' heard

# ---- deps: `there` holds what dpkg knows, `who` the user; apt-get installs
# nothing and says what it was asked.
script bin/dpkg-query '#!/bin/sh' \
    'shift 3; for p; do grep -qx "$p" "$HERE/there" && echo "ii  $p"; done; true'
script bin/apt-get '#!/bin/sh' 'echo "apt-get $*"; test ! -e "$HERE/broken"'
script bin/sudo '#!/bin/sh' 'exit 1'
script bin/id '#!/bin/sh' 'cat "$HERE/who"'
HERE=$PWD
export HERE
deps() { PATH="$PWD/bin:$PATH" CC=sh sh tree/.ci/deps "$@"; }
silent() { # silent SENTENCE COMMAND...
    sentence=$1
    shift
    if "$@" > said 2>&1 && test ! -s said; then verdict yes "$sentence"; else verdict no "$sentence"; fi
}
library='libc6-dev pkg-config libsqlite3-dev libsodium-dev check'
# shellcheck disable=SC2086
put there $library
put who 0
silent 'deps: nothing to do when all is present' deps library
deps server > heard 2>&1
passes 'deps: root installs what is missing' grep -q 'apt-get install .* libuv1-dev' heard
passes 'deps: root installs nothing else' sh -c '! grep -q "install.* libsqlite3-dev" heard'
: > broken
refuses 'deps: an apt that fails is a failure' 'by hand' deps server
passes 'deps: unless the build is to judge' deps server lenient
rm broken
put who 1000
refuses 'deps: an ordinary user is told what is missing' 'missing: libuv1-dev' deps server
refuses 'deps: and the command that installs it' 'apt-get install .* libuv1-dev' deps server
passes 'deps: which need not stop a build' deps server lenient
script bin/sudo '#!/bin/sh' 'test "$1" != -n || exit 0; exec "$@"'
deps server > heard 2>&1
passes 'deps: a user with sudo installs' grep -q 'apt-get install .* libuv1-dev' heard
rm tree/configure
deps library > heard 2>&1
passes 'deps: a clone needs autoconf' grep -q 'install .* autoconf' heard
exit "$failed"
