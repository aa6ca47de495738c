# SPDX-License-Identifier: BSD-2-Clause
# Hand-written and checked in; needs GNU make.  All answers about this system
# are in config.mk, which ./configure writes; if it is missing, make runs
# autoconf and ./configure itself: in a fresh clone, `make` is enough.
# Products lie in $(O): programs and libraries directly in it, the rest in
# $(O)/obj.  What exists is found by looking: a new file in a room's folder
# needs no line here.

all:

srcdir ?= .
O ?= build
SOVERSION = 0
SHELL = /bin/sh
comma = ,

# Goals that work before anything was configured, and never configure.
BARE = help clean deps deps-dev sizes
ifneq ($(filter-out $(BARE),$(or $(MAKECMDGOALS),all)),)
include config.mk
else
-include $(wildcard config.mk)
endif

# Make splits at blanks, and `rm -rf` of half a path is no way to find out.
ifneq ($(words x$(CURDIR)x$(srcdir)x$(O)x$(DESTDIR)x$(prefix)x),1)
$(error a path with a blank in it: no folder, DESTDIR or prefix may have one)
endif

# ---------------------------------------------------------------- sources

ROOMS = base raft wire store kv node
sources = $(sort $(wildcard $(1:%=$(srcdir)/%)))
objects = $(patsubst $(srcdir)/%.c,$(O)/obj/%.o,$(filter %.c,$1))

HDRS := $(call sources,include/raftkv/*.h)
LIB_OBJS := $(call objects,$(call sources,$(ROOMS:%=lib/%/*.c)))
MANS := $(call sources,man/*.1 man/*.3 man/*.7 man/*.8)

# The suites of test/<room>/check_<file>.c are called suite_<room>_<file>.
SUITES := $(call sources,$(ROOMS:%=test/%/check_*.c) test/oracle/check_*.c)
# Judges of what a cluster did, for the simulator; their tests are suites.
ORACLE_OBJS := $(call objects,$(filter-out $(call sources,test/oracle/check_*.c),$(call sources,test/oracle/*.c)))
TEST_OBJS := $(call objects,$(call sources,test/main.c $(ROOMS:%=test/%/*.c) test/oracle/*.c))
SIM_OBJS := $(call objects,$(call sources,test/sim/*.c))
# A disk in memory, for the tests of stores and for the simulator.
DISK_OBJS := $(call objects,$(call sources,test/disk/*.c))
EXPLORE_OBJS := $(call objects,$(call sources,test/explore/*.c))
# What a node recorded, played again, by itself and by other tests.
REPLAY_OBJS := $(call objects,$(call sources,test/replay/replay.c))
# Two programs on one stage: our own stories, and files of etcd's form.
STAGE_OBJS := $(call objects,$(call sources,$(patsubst %,test/stories/%.c,script stage stage_change tell turn)))
STORY_OBJS := $(call objects,$(call sources,test/stories/stories.c))
CONFORM_OBJS := $(call objects,$(call sources,test/stories/conform*.c test/stories/heard.c))

# A fuzz target per file; a bench program per bench_ file, the others in its
# folder are shared by all of them.
FUZZ_SRCS := $(call sources,test/fuzz/fuzz_*.c)
FUZZERS := $(FUZZ_SRCS:$(srcdir)/test/fuzz/fuzz_%.c=$(O)/fuzz-%)
BENCH_SRCS := $(call sources,test/bench/bench_*.c)
BENCHES := $(BENCH_SRCS:$(srcdir)/test/bench/bench_%.c=$(O)/bench-%)
BENCH_OBJS := $(call objects,$(filter-out $(BENCH_SRCS),$(call sources,test/bench/*.c)))

# Examples are numbered; each folder is one program of the same name.
EXAMPLE_DIRS := $(patsubst %/,%,$(sort $(dir $(wildcard $(srcdir)/examples/[0-9]*/*.c))))
EXAMPLES := $(EXAMPLE_DIRS:$(srcdir)/examples/%=$(O)/%)

# The server: two programs, what they share, and messages made by protoc-c.
SERVER_DIR = examples/server
ifeq ($(SERVER),yes)
DAEMON_OBJS := $(call objects,$(call sources,$(SERVER_DIR)/daemon/*.c))
CTL_OBJS := $(call objects,$(call sources,$(SERVER_DIR)/ctl/*.c))
SHARED_OBJS := $(call objects,$(call sources,$(SERVER_DIR)/common/*.c))
PURE_OBJS := $(foreach f,cluster lives status,$(O)/obj/$(SERVER_DIR)/daemon/$f.o)
PROTOS := $(call sources,$(SERVER_DIR)/proto/*.proto)
PROTO_SRCS := $(PROTOS:$(srcdir)/%.proto=$(O)/obj/%.pb-c.c)
PROTO_OBJS := $(PROTO_SRCS:.c=.o)
SERVER_UNITS := $(call objects,$(call sources,test/server/*.c))
SERVER_PROGRAMS := $(if $(DAEMON_OBJS),$(O)/raftkvd) $(if $(CTL_OBJS),$(O)/raftkvctl)
endif

ALL_OBJS := $(LIB_OBJS) $(TEST_OBJS) $(DISK_OBJS) $(SIM_OBJS) $(EXPLORE_OBJS) $(call objects,$(call sources,test/replay/*.c)) $(BENCH_OBJS) \
	$(STAGE_OBJS) $(STORY_OBJS) $(CONFORM_OBJS) \
	$(call objects,$(FUZZ_SRCS) $(BENCH_SRCS) $(call sources,test/fuzz/*.c)) \
	$(call objects,$(call sources,examples/[0-9]*/*.c)) \
	$(DAEMON_OBJS) $(CTL_OBJS) $(SHARED_OBJS) $(SERVER_UNITS)

# ---------------------------------------------------------------- compiling

SANFLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	$(if $(FUZZ),-fsanitize=fuzzer-no-link)
COVFLAGS := $(if $(COVERAGE),--coverage)
COMPILE = $(CC) $(RKV_CFLAGS) $(RKV_CPPFLAGS) $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) $(COVFLAGS)
LINK = $(CC) $(CFLAGS) $(SANFLAGS) $(COVFLAGS) $(RKV_LDFLAGS) $(LDFLAGS)
LIB_LIBS = $(SODIUM_LIBS) $(SQLITE_LIBS) $(LIBS)

# Rooms see the public headers; tests may look behind the doors; examples see
# what a stranger sees.
INC = -I$(srcdir)/include
INC_lib = $(INC) $(SODIUM_CFLAGS) $(SQLITE_CFLAGS)
INC_test = $(INC_lib) -I$(srcdir)/lib -I$(srcdir)/test -I$(O)/obj/test $(CHECK_CFLAGS) \
	-DRKV_SRCDIR='"$(abspath $(srcdir))"'
INC_examples = $(INC)
INC_server = $(INC) -I$(srcdir)/$(SERVER_DIR) -I$(O)/obj/$(SERVER_DIR) $(SERVER_CFLAGS)
INC_server_test = $(INC_server) $(CHECK_CFLAGS)
inc = $(if $(filter test/server/%,$1),$(INC_server_test),$(if $(filter $(SERVER_DIR)/%,$1),$(INC_server),$(INC_$(firstword $(subst /, ,$1)))))

ifeq ($(SHLIB),macho)
SO = libraft-kv.$(SOVERSION).dylib
SOLINK = libraft-kv.dylib
SOFLAGS = -dynamiclib -install_name $(libdir)/$(SO)
else
SO = libraft-kv.so.$(SOVERSION)
SOLINK = libraft-kv.so
SOFLAGS = -shared -Wl,-soname,$(SO) $(if $(SANITIZE),,-Wl$(comma)--no-undefined) \
	-Wl,--version-script=$(srcdir)/pkgconfig/libraft-kv.map
endif
LIB = $(O)/libraft-kv.a
LIBRARIES = $(LIB) $(if $(filter yes,$(SHARED)),$(O)/$(SO))
PCS = $(O)/libraft-kv.pc $(O)/libraft-kv-uninstalled.pc
CDEF = $(if $(wildcard $(srcdir)/include/raftkv/raftkv.h),$(O)/libraft-kv.cdef)

# make V=1 shows the commands.
Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$1' '$2';)

all: $(LIBRARIES) $(PCS) $(CDEF) $(EXAMPLES) $(SERVER_PROGRAMS)

$(O)/obj/%.o: $(srcdir)/%.c config.mk
	@mkdir -p $(@D)
	$(call say,CC,$*.c)$(COMPILE) -fPIC $(call inc,$*) -MMD -MP -c -o $@ $<
$(O)/obj/%.o: $(O)/obj/%.c config.mk
	$(call say,CC,$<)$(COMPILE) -w -fPIC $(call inc,$*) -MMD -MP -c -o $@ $<
-include $(ALL_OBJS:.o=.d)

# A list of what there is, rewritten only when it changed: a file that went
# away or came makes what is linked from it new.
list = @mkdir -p $(@D); printf '%s\n' $1 > $@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
$(O)/obj/lib.list: FORCE
	$(call list,$(LIB_OBJS))
$(O)/obj/test/suites.h: FORCE
	$(call list,$(patsubst %,'RKV_SUITE(suite_%)',$(subst /check_,_,$(SUITES:$(srcdir)/test/%.c=%))))
$(O)/obj/test/main.o: $(O)/obj/test/suites.h

$(LIB): $(LIB_OBJS) $(O)/obj/lib.list
	@rm -f $@
	$(call say,AR,$@)$(AR) rc $@ $(LIB_OBJS)
$(O)/$(SO): $(LIB_OBJS) $(O)/obj/lib.list $(srcdir)/pkgconfig/libraft-kv.map
	$(call say,LD,$@)$(LINK) $(SOFLAGS) -o $@ $(LIB_OBJS) $(LIB_LIBS)
	@ln -sf $(SO) $(O)/$(SOLINK)

pc = sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' \
	-e 's|@libdir@|$(libdir)|' -e 's|@includedir@|$(includedir)|' \
	-e 's|@VERSION@|$(VERSION)|' -e 's|@abs_srcdir@|$(abspath $(srcdir))|'
$(O)/%.pc: $(srcdir)/pkgconfig/%.pc.in config.mk
	@mkdir -p $(@D)
	$(Q)$(pc) $< > $@

# The declarations without a preprocessor, for cffi, LuaJIT and their like.
$(O)/libraft-kv.cdef: $(HDRS) config.mk
	@mkdir -p $(O)/obj/cdef
	@for h in stddef stdint stdbool; do : > $(O)/obj/cdef/$$h.h; done
	$(Q)$(CC) -E -P -nostdinc -I$(O)/obj/cdef $(INC) -DRKV_API= $(srcdir)/include/raftkv/raftkv.h > $@

# ---------------------------------------------------------------- programs

# The project's own programs link the static library.
program = $(call say,LD,$@)$(LINK) $(PIE) -o $@ $(filter %.o,$^) $(LIB)

define example
$(O)/$(notdir $1): $(call objects,$(sort $(wildcard $1/*.c))) $(LIB)
	$$(program) $$(LIB_LIBS) $$(THREAD_LIBS)
endef
$(foreach d,$(EXAMPLE_DIRS),$(eval $(call example,$d)))

$(O)/raftkvd: $(DAEMON_OBJS) $(SHARED_OBJS) $(PROTO_OBJS) $(LIB)
	$(program) $(if $(PROTO_OBJS),-lprotobuf-c) $(SERVER_LIBS) $(LIB_LIBS) $(THREAD_LIBS)
$(O)/raftkvctl: $(CTL_OBJS) $(SHARED_OBJS) $(LIB)
	$(program) $(SERVER_LIBS) $(LIB_LIBS) $(THREAD_LIBS)
$(O)/obj/%.pb-c.c $(O)/obj/%.pb-c.h &: $(srcdir)/%.proto
	@mkdir -p $(@D)
	$(call say,PROTOC,$*)$(PROTOC_C) -I$(<D) --c_out=$(@D) $<
$(DAEMON_OBJS): | $(PROTO_SRCS)

# Tests link the static library too, so that they may call what is hidden.
$(O)/check-raftkv: $(TEST_OBJS) $(DISK_OBJS) $(REPLAY_OBJS) $(LIB)
	$(if $(filter no,$(CHECK_FOUND)),@echo 'the tests need check: make deps' >&2; exit 1)
	$(program) $(CHECK_LIBS) $(LIB_LIBS) $(THREAD_LIBS)
$(O)/check-server-units: $(SERVER_UNITS) $(SHARED_OBJS) $(PURE_OBJS) $(LIB)
	$(program) $(CHECK_LIBS) $(SERVER_LIBS) $(LIB_LIBS) $(THREAD_LIBS)
# The simulator stands between rooms of the library, to see that no step or
# drain allocates, and what is applied.
SIM_WRAPS = $(patsubst %,-Wl$(comma)--wrap=rkv_%,raft_step raft_drain kv_apply kv_skip store_write store_state store_read)
$(O)/sim: $(SIM_OBJS) $(ORACLE_OBJS) $(DISK_OBJS) $(REPLAY_OBJS) $(LIB)
	$(program) $(SIM_WRAPS) $(LIB_LIBS) $(THREAD_LIBS)
$(O)/explore: $(EXPLORE_OBJS) $(LIB)
	$(program) $(LIB_LIBS) $(THREAD_LIBS)
$(O)/replay: $(call objects,$(call sources,test/replay/main.c)) $(REPLAY_OBJS) $(LIB)
	$(program) $(LIB_LIBS) $(THREAD_LIBS)
$(O)/stories: $(STORY_OBJS) $(STAGE_OBJS) $(LIB)
	$(program) $(LIB_LIBS) $(THREAD_LIBS)
$(O)/conformance: $(CONFORM_OBJS) $(STAGE_OBJS) $(LIB)
	$(program) $(LIB_LIBS) $(THREAD_LIBS)
FUZZ_OBJS := $(call objects,$(filter-out $(FUZZ_SRCS) $(if $(FUZZ),%/replay.c),$(call sources,test/fuzz/*.c)))
$(O)/fuzz-%: $(O)/obj/test/fuzz/fuzz_%.o $(FUZZ_OBJS) $(LIB)
	$(program) $(if $(FUZZ),-fsanitize=fuzzer) $(LIB_LIBS) $(THREAD_LIBS)
$(O)/bench-%: $(O)/obj/test/bench/bench_%.o $(BENCH_OBJS) $(LIB)
	$(program) $(LIB_LIBS) $(THREAD_LIBS)
TEST_PROGRAMS = $(O)/check-raftkv $(if $(SERVER_UNITS),$(O)/check-server-units) $(if $(SIM_OBJS),$(O)/sim) $(if $(EXPLORE_OBJS),$(O)/explore) $(if $(REPLAY_OBJS),$(O)/replay) $(if $(STORY_OBJS),$(O)/stories $(O)/conformance) $(FUZZERS)

# ---------------------------------------------------------------- checking

HOUSE = $(srcdir)/test/house
include $(HOUSE)/check.mk

# ---------------------------------------------------------------- installing

# A page of section 3 is found by each name in its NAME, not only by its own.
mlinks = awk 'FNR == 1 { inside = 0; page = FILENAME; sub(/.*\//, "", page); sub(/\.3$$/, "", page) } \
	/^\.Sh / { inside = $$2 == "NAME" } \
	inside && /^\.Nm / && $$2 != page { print page, $$2 }' $(filter %.3,$(MANS)) /dev/null |

install: all
	$(INSTALL) -d $(DESTDIR)$(includedir)/raftkv $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(datadir)/libraft-kv
	$(INSTALL) -m 644 $(HDRS) $(DESTDIR)$(includedir)/raftkv
	$(INSTALL) -m 644 $(LIB) $(DESTDIR)$(libdir)
	$(pc) $(srcdir)/pkgconfig/libraft-kv.pc.in > $(DESTDIR)$(libdir)/pkgconfig/libraft-kv.pc
	$(if $(CDEF),$(INSTALL) -m 644 $(CDEF) $(DESTDIR)$(datadir)/libraft-kv)
ifeq ($(SHARED),yes)
	$(INSTALL) -m 755 $(O)/$(SO) $(DESTDIR)$(libdir)/$(SO)
	ln -sf $(SO) $(DESTDIR)$(libdir)/$(SOLINK)
endif
	$(if $(wildcard $(SERVER_PROGRAMS)),$(INSTALL) -d $(DESTDIR)$(bindir) && $(INSTALL) -m 755 $(SERVER_PROGRAMS) $(DESTDIR)$(bindir))
	for m in $(MANS); do \
	  d=$(DESTDIR)$(mandir)/man$${m##*.}; \
	  $(INSTALL) -d $$d && $(INSTALL) -m 644 $$m $$d || exit 1; done
	$(mlinks) while read -r page name; do \
	  echo ".so man3/$$page.3" > $(DESTDIR)$(mandir)/man3/$$name.3 || exit 1; done

uninstall:
	rm -rf $(DESTDIR)$(includedir)/raftkv $(DESTDIR)$(datadir)/libraft-kv
	rm -f $(addprefix $(DESTDIR)$(libdir)/,libraft-kv.a $(SO) $(SOLINK) pkgconfig/libraft-kv.pc)
	rm -f $(DESTDIR)$(bindir)/raftkvd $(DESTDIR)$(bindir)/raftkvctl
	for m in $(MANS); do rm -f $(DESTDIR)$(mandir)/man$${m##*.}/$${m##*/}; done
	$(mlinks) while read -r page name; do rm -f $(DESTDIR)$(mandir)/man3/$$name.3; done

# A user's first hour, on what was just installed.
installcheck:
	$(Q)CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' FLAGS='$(SANFLAGS)' SHARED='$(SHARED)' \
	  DESTDIR='$(DESTDIR)' libdir='$(libdir)' sh $(srcdir)/test/install/first_hour.sh $(srcdir) $(O)/obj/installcheck

# The tarball: what git tracks plus configure; the same bytes every time.
DIST = libraft-kv-$(VERSION)
dist: $(srcdir)/configure
	$(Q)rm -rf $(O)/$(DIST) && mkdir -p $(O)/$(DIST)
	$(Q)test -e $(srcdir)/.git || { echo 'make dist packs what git tracks; this is no clone' >&2; exit 1; }
	$(Q)cd $(srcdir) && gone=$$(git ls-files --deleted) && test -z "$$gone" || { echo "make dist: tracked, but not there: $$gone" >&2; exit 1; }
	$(Q)(cd $(srcdir) && { git ls-files -z; printf 'configure\0'; } | tar -cf - --null -T -) | tar -xf - -C $(O)/$(DIST)
	$(Q)cd $(O) && LC_ALL=C tar --sort=name --format=posix \
	  --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
	  --mtime=@$${SOURCE_DATE_EPOCH:-$$(git -C $(abspath $(srcdir)) log -1 --format=%ct)} \
	  --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw,a-s -cf - $(DIST) | gzip -9n > $(DIST).tar.gz
	$(Q)rm -rf $(O)/$(DIST)
	@echo "$(O)/$(DIST).tar.gz"
# Made again by somebody with other habits, it has the same bytes.
distcheck: dist
	$(Q)mv $(O)/$(DIST).tar.gz $(O)/$(DIST).first
	$(Q)umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8 $(MAKE) --no-print-directory dist > /dev/null
	$(Q)cmp $(O)/$(DIST).first $(O)/$(DIST).tar.gz && rm -f $(O)/$(DIST).first \
	  && echo 'ok - $@: the same bytes twice' || { echo 'not ok - $@: not the same bytes twice'; exit 1; }
	$(Q)MAKE='$(MAKE)' CC='$(CC)' FLAGS='$(DISTCHECK_FLAGS)' sh $(HOUSE)/distcheck.sh $(O)/$(DIST).tar.gz

clean:
	rm -rf $(O)

# ---------------------------------------------------------------- the system

# What Debian must provide.  A tree configured without the server asks for
# less.
deps:
	$(Q)sh $(srcdir)/.ci/deps $(if $(filter no,$(WITH_SERVER))$(filter --without-server,$(CONFIGURE_FLAGS)),library,server) $(if $(filter deps,$(MAKECMDGOALS)),,lenient)
deps-dev: deps
	$(Q)sh $(srcdir)/.ci/deps dev

# GNU make remakes what it includes: this is the whole bootstrap.  Goals that
# begin with deps need them before the first question is asked; and answers
# grow old when packages come or go, which config.deps shows.
AUTOCONF ?= autoconf
ifneq ($(filter-out $(BARE),$(or $(MAKECMDGOALS),all)),)
first := $(if $(filter check demo,$(MAKECMDGOALS)),deps)
config.mk: config.status $(srcdir)/pkgconfig/config.mk.in
	@test config.mk -nt config.status || ./config.status --quiet config.mk
config.status: $(srcdir)/configure config.deps
	if test -f $@; then ./config.status --recheck; else $(srcdir)/configure $(CONFIGURE_FLAGS); fi
config.deps: FORCE | $(first)
	@sh $(srcdir)/.ci/deps present > $@.new; if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
# Forced, since autoconf does not know that it reads version.h.
$(srcdir)/configure: $(srcdir)/configure.ac $(srcdir)/include/raftkv/version.h | $(first)
	@command -v $(AUTOCONF) >/dev/null || { \
	  echo 'a clone needs autoconf to make its configure script; on Debian, make deps installs it and all else' >&2; exit 1; }
	cd $(srcdir) && $(AUTOCONF) --force && rm -f configure~
endif

help:
	@sed -n 's/^## \{0,1\}//p' $(srcdir)/Makefile
## make               the library, the examples and the server, in build/
## make demo          three servers, real data, a killed leader: see it work
## make check         all tests and house checks (begins with deps, like demo)
## make check-san     the same under AddressSanitizer and UBSan, in build/san
## make check-valgrind  the tests under valgrind
## make check-sim     simulated clusters: SEEDS=300 START=1 JOBS=2
## make check-mutants  libraries broken on purpose, which that must find
## make check-explore  every run of a few members, as far as two minutes go
## make soak          more and more simulated clusters: MINUTES=60 START=1
## make stories-rewrite  play the stories and write down what happens now
## make check-conformance DIR=...  etcd's datadriven files on our core
## make lint          clang, clang-format, cppcheck, shellcheck, mandoc
## make bench         figures, one a line; BENCH=core for one group
## make sizes         files and functions that grew long (a report)
## make deps          install what all, demo and check need (Debian)
## make deps-dev      install what lint, check-san and check-valgrind need
## make install, uninstall, installcheck    DESTDIR= and prefix= as usual
## make dist, distcheck    the tarball; build, check and install from it
## make clean         remove build/
##
## ./configure --help lists the choices; V=1 shows commands; O= moves build/.

FORCE:
.PHONY: FORCE all deps deps-dev install uninstall dist distcheck installcheck clean help
.DELETE_ON_ERROR:
.SECONDARY:
