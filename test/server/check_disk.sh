#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# A disk that fails takes its member down, with words and an exit code, and
# nothing that was acknowledged is lost; a directory that was damaged is
# refused by name.
set -eu
# shellcheck source=test/server/lib.sh
. "$(dirname "$0")/lib.sh"

# Writes or syncs of files fail from the moment the file $DISK_FULL or
# $DISK_BAD is there, and take long while $DISK_SLOW is.
cat > "$place/faulty.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int now(const char *name, int code)
{
    const char *path = getenv(name);
    if (!path || access(path, F_OK) != 0)
        return 0;
    errno = code;
    return 1;
}
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
ssize_t pwrite(int fd, const void *at, size_t len, off_t offset)
{
    return now("DISK_FULL", ENOSPC) ? -1 : NEXT(pwrite)(fd, at, len, offset);
}
ssize_t pwrite64(int fd, const void *at, size_t len, off64_t offset)
{
    return now("DISK_FULL", ENOSPC) ? -1 : NEXT(pwrite64)(fd, at, len, offset);
}
int fsync(int fd)
{
    if (now("DISK_SLOW", 0))
        usleep(10000);
    return now("DISK_BAD", EIO) ? -1 : NEXT(fsync)(fd);
}
int fdatasync(int fd)
{
    if (now("DISK_SLOW", 0))
        usleep(10000);
    return now("DISK_BAD", EIO) ? -1 : NEXT(fdatasync)(fd);
}
END
if ! ${CC:-cc} -shared -fPIC -o "$place/faulty.so" "$place/faulty.c" -ldl 2> "$place/said"; then
    skip 'disks that fail: no compiler for a faulty disk'
    exit 0
fi
cat > "$place/faulty" <<END
#!/bin/sh
export DISK_FULL=$place/full DISK_BAD=$place/bad DISK_SLOW=$place/slow
export ASAN_OPTIONS="\${ASAN_OPTIONS:-}:verify_asan_link_order=0"
LD_PRELOAD=$place/faulty.so exec $daemon "\$@"
END
chmod +x "$place/faulty"
real=$daemon

# falls_over FILE: puts go on until FILE makes the disk fail; then the member
# exits with 1.  What was acknowledged is in $place/acked.
falls_over() {
    i=0
    : > "$place/acked"
    while [ $i -lt 20 ]; do
        i=$((i + 1))
        "$ctl" --endpoints "$url" put "disk/$1/$i" x > /dev/null && echo "disk/$1/$i" >> "$place/acked"
    done
    : > "$place/$1"
    found=0
    "$ctl" --endpoints "$url" put "disk/$1/last" x > "$place/said" 2>&1 || found=$?
    code=0
    wait "$pid1" || code=$?
    pid1=''
    rm -f "$place/$1"
    test $code = 1 && test $found = 3 && grep -q 'whether it happened is not known' "$place/said"
}
has_acked() {
    test -s "$place/acked" || return 1
    "$ctl" --endpoints "$url" get disk/ --prefix --keys-only > "$place/keys" || return 1
    while read -r key; do
        grep -qxF "$key" "$place/keys" || { echo "# $key is gone"; return 1; }
    done < "$place/acked"
}

for fault in full bad; do
    daemon=$place/faulty
    : > "$place/n1.log"
    says "a member on a disk that will be $fault" alone
    says 'goes down with it, and says of the last write that nobody knows' falls_over $fault
    says 'the log says what failed, where, and what to do' \
        grep -q 'level=error .*msg="the disk failed" .*detail="[^"]*member/.*do="' "$place/n1.log"
    daemon=$real
    : > "$place/n1.log"
    says 'it starts again when the disk is well' alone
    says 'and has all that was acknowledged' has_acked
    kill -TERM "$pid1"
    wait "$pid1" || :
    pid1=''
done

# Ten writes must fit into an election timeout.
daemon=$place/faulty
: > "$place/slow"
: > "$place/n1.log"
says 'a member on a slow disk' alone
"$ctl" --endpoints "$url" load --requests 140 --clients 2 > "$place/load" || :
says 'warns that the election timeout is short, and says what would do' \
    soon grep -q 'level=warn.*election timeout is short.*write_p99_ms=[0-9].*--election-timeout=[1-9][0-9][0-9]' "$place/n1.log"
kill -TERM "$pid1"
wait "$pid1" || :
pid1=''
rm "$place/slow"
daemon=$real

# Of three, two go on.
rm -rf "$place"/n1*
says 'three members' three
bad=$leading
kill -TERM "$(pid_of "$bad")"
wait "$(pid_of "$bad")" || :
daemon=$place/faulty
member "$bad"
daemon=$real
soon same_hash
: > "$place/bad"
puts_go_on() {
    "$ctl" --endpoints "http://127.0.0.1:$((base + bad % 3 + 1))" put after failure > /dev/null
}
says 'one whose disk fails does not stop the others' soon puts_go_on
fell() { ! kill -0 "$(pid_of "$bad")" 2> /dev/null; }
says 'and is gone' soon fell
rm -f "$place/bad"
wait "$(pid_of "$bad")" 2> /dev/null || :
says 'until it is started again' member "$bad"
says 'and is one of three' soon same_hash
for n in 1 2 3; do kill -KILL "$(pid_of $n)"; done
wait 2> /dev/null || :

# refused NAME WORDS: member 1 does not start, and says WORDS.
refused() {
    code=0
    timeout "$patience" "$daemon" --name n1 --data-dir "$place/n1" --listen-client-urls http://127.0.0.1:0 \
        --listen-peer-urls http://127.0.0.1:0 > "$place/said" 2>&1 || code=$?
    if [ $code = 1 ] && grep -q -e "$2" "$place/said"; then
        ok "$1"
    else
        sed 's/^/# /' "$place/said"
        not_ok "$1: exit code $code"
    fi
    rm -rf "$place/n1"
    cp -R "$place/sound" "$place/n1"
}
rm -rf "$place"/n?*
more_flags='--snapshot-count 50'
says 'a member alone' alone
"$ctl" --endpoints "$url" load --requests 300 --clients 4 > "$place/load"
kill -TERM "$pid1"
wait "$pid1" || :
pid1=''
cp -R "$place/n1" "$place/sound"
printf 'garbage' | dd of="$place/n1/member/log.db" conv=notrunc 2> /dev/null
refused 'a database that is none' 'RKV_ECORRUPT.*log.db.*not a database'
dd if=/dev/zero of="$place/n1/member/promise" bs=1024 count=8 2> /dev/null
refused 'a promise file of zeros' 'RKV_ECORRUPT.*promise.*must not vote'
rm "$place/n1/member/promise"
refused 'a promise file that is gone' 'RKV_EROLLBACK.*promise: missing'
rm "$place"/n1/member/snap-*
refused 'a snapshot that is gone' 'RKV_ECORRUPT.*snap-.*put the file back'
rm -rf "$place/n1/member"
: > "$place/n1/member"
refused 'a directory that is a file' 'cannot open the store.*n1/member'
