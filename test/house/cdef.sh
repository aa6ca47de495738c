#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The declarations for tools without a preprocessor: cdef.sh CDEF SYMBOLS
# LAYOUT SCRATCH.  They hold no directive and nothing of one compiler, name
# each exported function, and are C.  Where cffi and LuaJIT are there, and
# LIBRARY is given, both take the file as it is, find each struct as large as
# it was reviewed, and call a function.
set -eu
cdef=${1:?usage: cdef.sh CDEF SYMBOLS LAYOUT SCRATCH}
symbols=${2:?usage: cdef.sh CDEF SYMBOLS LAYOUT SCRATCH}
layout=${3:?usage: cdef.sh CDEF SYMBOLS LAYOUT SCRATCH}
scratch=${4:?usage: cdef.sh CDEF SYMBOLS LAYOUT SCRATCH}
mkdir -p "$scratch"
status=0

if grep -nE '^[[:blank:]]*#|__[a-z]+|^[[:blank:]]*(static|inline)|[{][^}]*:[ 0-9]+;' "$cdef"; then
    echo "$cdef: more than plain declarations"
    status=1
fi
while read -r name; do
    grep -qE "[ *]$name\\(" "$cdef" || echo "$cdef: $name is not declared"
done < "$symbols" > "$scratch/missing"
if [ -s "$scratch/missing" ]; then
    cat "$scratch/missing"
    status=1
fi
printf '#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n' |
    cat - "$cdef" > "$scratch/cdef.c"
if ! ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only "$scratch/cdef.c"; then
    echo "$cdef: is not C"
    status=1
fi
test $status = 0 || exit $status

cat > "$scratch/cdef.py" <<'END'
import sys
import cffi

ffi = cffi.FFI()
ffi.cdef(open(sys.argv[1]).read())
for line in open(sys.argv[2]):
    name, mark, size = line.strip().partition(": ")
    if mark and ffi.sizeof("struct " + name) != int(size):
        sys.exit(name + " is not as large as reviewed")
library = ffi.dlopen(sys.argv[3])
if ffi.string(library.rkv_errname(library.RKV_EBUSY)) != b"RKV_EBUSY":
    sys.exit("a call went wrong")
END
cat > "$scratch/cdef.lua" <<'END'
local ffi = require("ffi")
ffi.cdef(io.open(arg[1]):read("*a"))
for line in io.lines(arg[2]) do
  local name, size = line:match("^([%w_]+): (%d+)$")
  assert(not name or ffi.sizeof("struct " .. name) == tonumber(size), name)
end
local library = ffi.load(arg[3])
assert(ffi.string(library.rkv_errname(ffi.C.RKV_EBUSY)) == "RKV_EBUSY")
END
try() { # try NAME WHY COMMAND...: WHY not, if it cannot run
    name=$1 why=$2
    shift 2
    if [ -n "$why" ]; then
        echo "skip - cdef: $name: $why"
    elif "$@" "$cdef" "$layout" "$LIBRARY" > "$scratch/said" 2>&1; then
        echo "ok - cdef: $name takes it"
    else
        cat "$scratch/said"
        echo "not ok - cdef: $name does not take it"
        status=1
    fi
}
why=
test -n "${LIBRARY-}" || why='needs a shared library without instruments'
python=${PYTHON:-python3}
no_cffi=$why no_lua=$why
$python -c 'import cffi' 2>/dev/null || no_cffi=${why:-it is not installed}
command -v luajit > /dev/null 2>&1 || no_lua=${why:-it is not installed}
try cffi "$no_cffi" "$python" "$scratch/cdef.py"
try luajit "$no_lua" luajit "$scratch/cdef.lua"
exit $status
