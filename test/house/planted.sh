#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The checks of the house, checked: planted.sh HOUSE SCRATCH.  Each is shown a
# tiny tree that keeps its rule and must pass it, then the same tree with one
# violation planted, which it must refuse and name.
set -eu
house=$(cd "${1:?usage: planted.sh HOUSE SCRATCH}" && pwd)
rm -rf "${2:?usage: planted.sh HOUSE SCRATCH}"
mkdir -p "$2"
cd "$2"
cc=${CC:-cc}
# shellcheck source=plant.sh
. "$house/plant.sh"

# ---- floors
floors="sh $house/floors.sh tree"
clean_floors() {
    rm -rf tree
    put tree/include/raftkv/raft.h '#include "base.h"'
    put tree/lib/base/bytes.c '#include <string.h>' '#include <raftkv/base.h>' '#include "bytes.h"'
    put tree/lib/raft/raft.c '#include "core.h"' '#include "../base/bytes.h"' '#include <raftkv/raft.h>'
    put tree/lib/store/sqlite.c '#include <sqlite3.h>' '#include <fcntl.h>'
    put tree/lib/node/node.c '#include "../raft/core.h"' '#include <raftkv/node.h>'
    put tree/examples/1-alone/alone.c '#include <raftkv/raftkv.h>' '#include "own.h"'
    put tree/examples/server/daemon/main.c '#include "../common/url.h"' '#include <uv.h>'
}
plant_floors() { # plant_floors SENTENCE WORD FILE LINE
    clean_floors
    printf '%s\n' "$4" >> "tree/$3"
    # shellcheck disable=SC2086
    refuses "floors: $1" "$2" $floors
}
clean_floors
# shellcheck disable=SC2086
passes 'floors: a tree in order passes' $floors
plant_floors 'raft may not know kv' 'lib/raft/raft.c:4' lib/raft/raft.c '#include "../kv/tree.h"'
plant_floors 'raft may not know wire by another way round' 'lib/raft/raft.c:4' lib/raft/raft.c '#  include "../base/../wire/frame.h"'
plant_floors 'raft may not look upstairs' 'lib/raft/raft.c:4' lib/raft/raft.c '#include <raftkv/node.h>'
plant_floors 'raft may not read a clock' 'lib/raft/raft.c:4' lib/raft/raft.c '#include <time.h>'
plant_floors 'base may not know a room' 'lib/base/bytes.c:4' lib/base/bytes.c '#include <raftkv/raft.h>'
plant_floors 'node may not know SQLite' 'lib/node/node.c:3' lib/node/node.c '#include <sqlite3.h>'
plant_floors 'the library may not know an example' 'lib/node/node.c:3' lib/node/node.c '#include "../../examples/server/common/url.h"'
plant_floors 'an example may not look behind the doors' 'alone.c:3' examples/1-alone/alone.c '#include "../../lib/raft/core.h"'
plant_floors 'an example may not use its neighbour' 'alone.c:3' examples/1-alone/alone.c '#include "../server/common/url.h"'
plant_floors 'a public header may not open a drawer' 'raft.h:2' include/raftkv/raft.h '#include "../../lib/raft/core.h"'

# ---- style
style="sh $house/style.sh tree"
clean_style() {
    rm -rf tree
    put tree/lib/a.c '/* SPDX-License-Identifier: BSD-2-Clause */' 'int a; /* a sentence */'
    put tree/test/b.sh '#!/bin/sh' '# SPDX-License-Identifier: BSD-2-Clause'
}
clean_style
# shellcheck disable=SC2086
passes 'style: a tree in order passes' $style
put tree/lib/a.c 'int a;'
# shellcheck disable=SC2086
refuses 'style: a file without a licence is named' 'lib/a.c: no SPDX' $style
clean_style
printf '%081d\n' 0 >> tree/lib/a.c
# shellcheck disable=SC2086
refuses 'style: a long line is named' 'lib/a.c:3: longer' $style
clean_style
echo '/* TO''DO: later */' >> tree/lib/a.c
# shellcheck disable=SC2086
refuses 'style: what is left for later is named' 'lib/a.c:3: left for later' $style

# ---- headers
headers="sh $house/headers.sh include scratch"
put include/raftkv/good.h '#include <stdint.h>' 'extern uint32_t rkv_good;'
# shellcheck disable=SC2086
passes 'headers: one that stands alone passes' env CC="$cc" CXX= $headers
put include/raftkv/needy.h 'extern uint32_t rkv_needy;'
# shellcheck disable=SC2086
refuses 'headers: one that needs another is named' 'raftkv/needy.h' env CC="$cc" CXX= $headers
put include/raftkv/needy.h 'struct rkv_a { int class; };' 'extern struct rkv_a rkv_a;'
if [ -n "${CXX-}" ]; then
    # shellcheck disable=SC2086
    refuses 'headers: one that is not C++ is named' 'raftkv/needy.h' env CC= CXX="$CXX" $headers
else
    echo 'skip - planted: headers: one that is not C++ is named: no C++ compiler'
fi
rm -rf include

# ---- purity
compile() { # compile FILE TEXT
    mkdir -p "lib/$(dirname "$1")"
    printf '%s\n' "$2" > unit.c
    $cc -O0 -fPIC -c -o "lib/$1" unit.c
}
purity="sh $house/purity.sh lib"
alloc='void *rkv_alloc(void *, unsigned long); void *f(void); void *f(void) { return rkv_alloc(0, 8); }'
compile base/alloc.o 'void *rkv_alloc(void *, unsigned long); void *rkv_alloc(void *a, unsigned long n) { return n ? a : 0; }
    int rkv_max(int, int); int rkv_max(int a, int b) { return a > b ? a : b; }'
compile raft/raft.o "$alloc"
compile raft/append.o '#include <string.h>
    int rkv_max(int, int); int g(const char *); int g(const char *s) { return rkv_max(memcmp(s, "a", 1), (int)strlen(s)); }'
compile kv/tree.o "$alloc"
# shellcheck disable=SC2086
passes 'purity: pure rooms pass' $purity
compile raft/append.o '#include <time.h>
    long g(void); long g(void) { return (long)time(NULL); }'
# shellcheck disable=SC2086
refuses 'purity: a clock in raft is named' 'raft/append.o imports time' $purity
compile raft/append.o "$alloc"
# shellcheck disable=SC2086
refuses 'purity: only the hall of raft may allocate' 'raft/append.o refers to rkv_alloc' $purity
rm lib/raft/append.o
compile raft/raft.o '#include <stdlib.h>
    void *f(void); void *f(void) { return malloc(8); }'
# shellcheck disable=SC2086
refuses 'purity: the hall asks its allocator, not malloc' 'raft/raft.o imports malloc' $purity
rm lib/raft/raft.o
compile kv/tree.o '#include <stdio.h>
    int f(void); int f(void) { return fopen("a", "r") != NULL; }'
# shellcheck disable=SC2086
refuses 'purity: a file in kv is named' 'kv/tree.o imports fopen' $purity
compile kv/tree.o 'int rkv_store_write(void); int f(void); int f(void) { return rkv_store_write(); }'
# shellcheck disable=SC2086
refuses 'purity: kv may not call the store' 'kv/tree.o imports rkv_store_write' $purity
compile raft/raft.o 'int rkv_tree(void); int rkv_tree(void) { return 0; }'
compile kv/tree.o 'int rkv_tree(void); int f(void); int f(void) { return rkv_tree(); }'
# shellcheck disable=SC2086
refuses 'purity: kv may not call raft' 'kv/tree.o imports rkv_tree' $purity
rm lib/raft/raft.o lib/kv/tree.o
compile base/alloc.o '#include <stdlib.h>
    void *f(void *); void *f(void *p) { return realloc(p, 8); }'
# shellcheck disable=SC2086
passes 'purity: base may ask for memory' $purity
compile base/hash.o 'unsigned randombytes_random(void); unsigned f(void); unsigned f(void) { return randombytes_random(); }'
# shellcheck disable=SC2086
refuses 'purity: a die in base is named' 'base/hash.o imports randombytes_random' $purity

# ---- symbols
put library.map 'RAFTKV_0 { global: rkv_*; local: *; };'
share() { # share TEXT [MAP]
    printf '%s\n' "$1" > unit.c
    $cc -shared -fPIC ${2+"$2"} -o library.so unit.c
    $cc -c -o unit.o unit.c
    rm -f library.a
    ar rc library.a unit.o
}
map=-Wl,--version-script=library.map
symbols="sh $house/symbols.sh library.so symbols.txt include library.a"
put symbols.txt rkv_close rkv_open
put include/raftkv/base.h 'RKV_API int rkv_open(int,' '                     int);' 'RKV_API const char *rkv_close(void);'
share 'int rkv_open(void); int rkv_open(void) { return 0; } int rkv_close(void); int rkv_close(void) { return 0; }' $map
# shellcheck disable=SC2086
passes 'symbols: the reviewed names pass' $symbols
share 'int rkv_open(void); int rkv_open(void) { return 0; } int rkv_close(void); int rkv_close(void) { return 0; }'
# shellcheck disable=SC2086
refuses 'symbols: a name without a version is named' 'exported without a version: rkv_open' $symbols
share 'int rkv_open(void); int rkv_open(void) { return 0; } int rkv_close(void); int rkv_close(void) { return 0; }
    int spare(void); int spare(void) { return 0; }' $map
# shellcheck disable=SC2086
refuses 'symbols: a name that could meet another is named' 'without our prefix: spare' $symbols
share 'int rkv_open(void); int rkv_open(void) { return 0; } int rkv_close(void); int rkv_close(void) { return 0; }
    int rkv_spare(void); int rkv_spare(void) { return 0; }' $map
# shellcheck disable=SC2086
refuses 'symbols: a name too many is named' 'exported but not reviewed: rkv_spare' $symbols
share 'int rkv_open(void); int rkv_open(void) { return 0; }' $map
# shellcheck disable=SC2086
refuses 'symbols: a name that is gone is named' 'reviewed but not exported: rkv_close' $symbols
put include/raftkv/more.h 'RKV_API void rkv_more(void);'
# shellcheck disable=SC2086
refuses 'symbols: a declaration nobody reviewed is named' 'declared but not reviewed: rkv_more' $symbols
rm -rf include

# ---- man
man="env CC=$cc sh $house/man.sh man symbols.txt include scratch"
clean_man() {
    put symbols.txt rkv_close rkv_open
    put include/raftkv/base.h '#define RKV_API' 'struct rkv_file {' '    int number;' '};' \
        'RKV_API int rkv_open(const char *name, struct rkv_file **out);' \
        'RKV_API void rkv_close(struct rkv_file *file);'
    put man/rkv_open.3 '.Sh NAME' '.Nm rkv_open ,' '.Nm rkv_close ,' '.Nm rkv_file' \
        '.Nd open and close' '.Sh SYNOPSIS' '.In raftkv/base.h' '.Ft int' '.Fo rkv_open' \
        '.Fa "const char *name"' '.Fa "struct rkv_file **out"' '.Fc' '.Ft void' \
        '.Fn rkv_close "struct rkv_file *file"' \
        '.Sh EXAMPLES' '.Bd -literal -offset indent' '#include <stdio.h>' \
        'int main(void) { return puts("a\en") < 0; }' '.Ed' \
        '.Bd -literal' 'this is no C' '.Ed' '.Sh SEE ALSO' '.Xr rkv_close 3 ,' '.Xr open 2'
}
plant_man() { # plant_man SENTENCE WORD FROM TO: a page with FROM made TO
    clean_man
    sed "s/$3/$4/" man/rkv_open.3 > page
    mv page man/rkv_open.3
    # shellcheck disable=SC2086
    refuses "man: $1" "$2" $man
}
clean_man
# shellcheck disable=SC2086
passes 'man: a manual that keeps up passes' $man
put symbols.txt rkv_close rkv_more rkv_open
# shellcheck disable=SC2086
refuses 'man: a function without a page is named' 'rkv_more is exported' $man
plant_man 'a page for what is not there is named' 'rkv_gone is in the NAME' 'rkv_file$' rkv_gone
plant_man 'an example that does not compile is named' 'rkv_open.3.1 shows does not' puts put_s
plant_man 'an argument of another type is named' 'rkv_open.3.synopsis shows does not' 'const char' 'char'
plant_man 'a result of another type is named' 'rkv_open.3.synopsis shows does not' '^.Ft void' '.Ft int'
plant_man 'a function without a synopsis is named' 'rkv_close is not in both' '^.Fn rkv_close.*' '.\\" gone'
plant_man 'a page that is not there is named' 'there is no rkv_shut(3)' 'Xr rkv_close' 'Xr rkv_shut'
plant_man 'a word that is a macro is named' 'the word is a macro' '^.Sh EXAMPLES' '.Ss An example\n&'
clean_man
put man/rkv_close.3 '.Sh NAME' '.Nm rkv_close'
# shellcheck disable=SC2086
refuses 'man: a function with two pages is named' 'two pages' $man
rm -rf include man

# ---- flags
put program '#!/bin/sh' 'echo "  --name NAME"' 'echo "  -w, --write-out FORM"'
put page.1 '.It Fl -name Ar name' '.It Fl w , -write-out Cm form'
chmod +x program
passes 'flags: a page that keeps up passes' sh "$house/flags.sh" ./program page.1
put page.1 '.It Fl -name Ar name'
refuses 'flags: a flag without a word in the page is named' 'page.1: --write-out is only in --help' \
    sh "$house/flags.sh" ./program page.1
put page.1 '.It Fl -name Ar name' '.It Fl w , -write-out Cm form' '.It Fl -gone'
refuses 'flags: a flag that is gone is named' 'page.1: --gone is only in the page' \
    sh "$house/flags.sh" ./program page.1

# ---- layout
layout="env CC=$cc sh $house/layout.sh include layout.txt scratch"
put include/raftkv/raftkv.h 'struct rkv_a {' '    unsigned long a;' '    unsigned char b[3], c;' \
    '    void *(*d)(void *, int);' '};'
# shellcheck disable=SC2086
$layout print > layout.txt
# shellcheck disable=SC2086
passes 'layout: the frozen layout passes' $layout
sed 's/b\[3\]/b[4]/' include/raftkv/raftkv.h > header && mv header include/raftkv/raftkv.h
# shellcheck disable=SC2086
refuses 'layout: a field that moved is named' 'rkv_a.c' $layout

# ---- cdef
cdef="env CC=$cc LIBRARY= sh $house/cdef.sh plain.cdef symbols.txt layout.txt scratch"
put symbols.txt rkv_open
put plain.cdef 'enum {' '    RKV_OK = 0' '};' 'struct rkv_a {' '    uint32_t a;' '};' \
    'const struct rkv_a *rkv_open(size_t len);'
# shellcheck disable=SC2086
passes 'cdef: plain declarations pass' $cdef
plant_cdef() { # plant_cdef SENTENCE WORD FROM TO
    sed "s/$3/$4/" plain.cdef > said.cdef
    # shellcheck disable=SC2086
    refuses "cdef: $1" "$2" env CC="$cc" LIBRARY= sh "$house/cdef.sh" said.cdef symbols.txt layout.txt scratch
}
plant_cdef 'a directive is named' 'more than plain' '^enum' '#define RKV_A 1\nenum'
plant_cdef 'an extension is named' 'more than plain' '^const' '__attribute__((pure)) const'
plant_cdef 'a body is named' 'more than plain' '^const' 'static inline const'
plant_cdef 'a function that is missing is named' 'rkv_open is not declared' 'rkv_open' 'rkv_opened'
plant_cdef 'what is not C is named' 'is not C' 'size_t' 'sizes_t'

# ---- readme
readme="sh $house/readme.sh tree"
clean_readme() {
    rm -rf tree
    put tree/lib/base/base.c 'int a;'
    put tree/include/raftkv/a.h ''
    put tree/man/rkv_a.3 ''
    put tree/test/symbols.txt rkv_a
    put tree/examples/1-alone/alone.c 'int a;' 'void f(void)' '{' '    a = 1;' '' '    a = 2;' '}'
    put tree/README 'A house' '' '    make demo   it' '    make check   it' '' \
        'A taste, from examples/1-alone, it is.' '' '    void f(void)' '    {' '        a = 1;' '' \
        '        a = 2;' '    }' '' 'See rkv_a(3), lib/base/base.c.  Read the examples.' '' \
        'Read the examples:' '' '    1-alone   one' '' 'What is promised' '' 'A map of the house' '' \
        '    include/raftkv   doors' '    lib/base   ground' '    README' '    man' '    test' '    examples' \
        '' 'Where do I look'
}
plant_readme() { # plant_readme SENTENCE WORD FROM TO
    clean_readme
    sed "s/$3/$4/" tree/README > page
    mv page tree/README
    # shellcheck disable=SC2086
    refuses "readme: $1" "$2" $readme
}
clean_readme
# shellcheck disable=SC2086
passes 'readme: one that keeps up passes' $readme
plant_readme 'a command that is not shown is named' 'make demo is not' 'make demo' 'make dome'
plant_readme 'a taste that is stale is named' 'the taste is not' 'a = 2' 'a = 3'
plant_readme 'a room that is gone is named' 'lib/cellar, which is not there' 'lib.base  ' 'lib\/cellar'
plant_readme 'a folder that is not shown is named' 'does not name man' '^    man$' ''
plant_readme 'an example that is not shown is named' 'does not name 1-alone' '^    1-alone' 'alone'
plant_readme 'a file that is gone is named' 'there is no lib/base/gone.c' 'base.c' 'gone.c'
plant_readme 'a page that is gone is named' 'no page rkv_b(3)' 'rkv_a' 'rkv_b'
clean_readme
yes 'int a;' | head -n 200 >> tree/examples/1-alone/alone.c
# shellcheck disable=SC2086
refuses 'readme: an example that grew long is named' 'alone.c has 207 lines' $readme
clean_readme
put tree/notes ''
# shellcheck disable=SC2086
refuses 'readme: a stranger at the top is named' 'does not name notes' $readme
rm -rf tree

exit "$failed"
