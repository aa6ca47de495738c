# SPDX-License-Identifier: BSD-2-Clause
# What `make check` and its sisters do.  Part of the Makefile.  Each part is a
# goal of its own and says ok, not ok or skip in a line that can be counted.

# A target's recipe ends in a verdict that carries its name.
verdict = && echo 'ok - $@' || { echo 'not ok - $@'; exit 1; }
skip = @echo 'skip - $@: $(strip $1)'

# Two cores shared with a simulation are slow: no test fails for being late.
export CK_DEFAULT_TIMEOUT ?= $(if $(SANITIZE),180,60)
export ASAN_OPTIONS ?= detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1
export UBSAN_OPTIONS ?= print_stacktrace=1
RUN = timeout $(if $(SANITIZE),600,300)

EXAMPLE_CHECKS = $(EXAMPLES:$(O)/%=check-example-%)
UNIT_CHECKS = $(ROOMS:%=check-units-%) check-units-oracle
FUZZ_CHECKS = $(FUZZERS:$(O)/%=check-%)
BINDINGS := $(call sources,examples/bindings/python/*.py)
SERVER_SCRIPTS := $(call sources,test/server/check_*.sh)
CHECKS = check-floors check-style check-headers check-purity check-symbols check-man check-flags \
	check-layout $(if $(CDEF),check-cdef) check-uninstalled check-readme check-planted check-ci $(if $(SANITIZE)$(COVERAGE),,check-workshop) \
	$(UNIT_CHECKS) check-stories $(FUZZ_CHECKS) $(EXAMPLE_CHECKS) \
	$(if $(BINDINGS),check-bindings) $(if $(SIM_OBJS),check-sim-short) $(if $(EXPLORE_OBJS),check-explore-short) \
	$(if $(SERVER_UNITS),check-server-units) $(if $(SERVER_SCRIPTS),check-server)

check: deps $(CHECKS)
	@echo 'everything was checked'
$(CHECKS): | deps

# The unit tests of each room, beside each other.
check-units: $(UNIT_CHECKS)
$(UNIT_CHECKS): check-units-%: $(O)/check-raftkv
	$(Q)$(O)/check-raftkv $*

# Golden traces: each directive of each story is a test.  What happens now is
# written down by stories-rewrite, for a person to read the difference.
check-stories: $(O)/stories $(O)/conformance
	$(Q)$(O)/stories $(srcdir)/test/stories $(verdict)
stories-rewrite: $(O)/stories
	$(Q)$(O)/stories --rewrite $(srcdir)/test/stories
check-conformance: $(O)/conformance
	$(Q)$(O)/conformance $(or $(DIR),$(error make check-conformance DIR=a folder of datadriven files))

# Who may include whom.
check-floors:
	$(Q)sh $(HOUSE)/floors.sh $(srcdir) $(verdict)

# Licence lines, columns, nothing left for later.
check-style:
	$(Q)sh $(HOUSE)/style.sh $(srcdir) $(verdict)

# Every public header stands on its own, in C99 and in C++11.
check-headers:
	$(Q)CC='$(CC)' CXX= sh $(HOUSE)/headers.sh $(srcdir)/include $(O)/obj/headers $(verdict)
ifneq ($(CXX),)
	$(Q)CC= CXX='$(CXX)' sh $(HOUSE)/headers.sh $(srcdir)/include $(O)/obj/headers \
	  && echo 'ok - $@ in C++' || { echo 'not ok - $@ in C++'; exit 1; }
else
	@echo 'skip - $@ in C++: no C++ compiler'
endif

# What the pure rooms import.  Instrumented objects import their tool.
check-purity: $(LIB)
ifeq ($(SANITIZE)$(COVERAGE),)
	@rm -f $(filter-out $(LIB_OBJS),$(wildcard $(O)/obj/lib/*/*.o))
	$(Q)NM='$(NM)' sh $(HOUSE)/purity.sh $(O)/obj/lib $(verdict)
else
	$(call skip,instrumented objects import more than they say)
endif

# The exported names are a file under review, not an accident.
check-symbols: $(LIBRARIES)
ifeq ($(SHARED)$(SANITIZE)$(COVERAGE),yes)
	$(Q)NM='$(NM)' sh $(HOUSE)/symbols.sh $(O)/$(SO) $(srcdir)/test/symbols.txt $(srcdir)/include $(LIB) $(verdict)
else
	$(call skip,needs a shared library without instruments)
endif

# Each exported function has its page; each page's example compiles.
check-man:
	$(Q)CC='$(CC)' sh $(HOUSE)/man.sh $(srcdir)/man $(srcdir)/test/symbols.txt $(srcdir)/include $(O)/obj/man $(verdict)

# Each program's page has the flags its --help has.
check-flags: $(SERVER_PROGRAMS)
ifneq ($(SERVER_PROGRAMS),)
	$(Q)sh $(HOUSE)/flags.sh $(O)/raftkvd $(srcdir)/man/raftkvd.8 && \
	  sh $(HOUSE)/flags.sh $(O)/raftkvctl $(srcdir)/man/raftkvctl.1 $(verdict)
else
	$(call skip,configured without the server)
endif

# Sizes and offsets of what callers lay out themselves.
check-layout:
ifneq ($(wildcard $(srcdir)/test/layout.txt),)
	$(Q)CC='$(CC)' sh $(HOUSE)/layout.sh $(srcdir)/include $(srcdir)/test/layout.txt $(O)/obj/layout $(verdict)
else
	$(call skip,no layout is frozen yet)
endif

# The declarations that need no preprocessor, given to those they are for.
check-cdef: $(CDEF) $(LIBRARIES)
	$(Q)CC='$(CC)' PYTHON='$(PYTHON)' LIBRARY='$(if $(filter yes,$(SHARED)$(SANITIZE)$(COVERAGE)),$(abspath $(O)/$(SO)))' \
	  sh $(HOUSE)/cdef.sh $(CDEF) $(srcdir)/test/symbols.txt $(srcdir)/test/layout.txt $(O)/obj/cdef.check $(verdict)

# A program built against the build folder, before anything is installed.
check-uninstalled: $(LIBRARIES) $(PCS)
	$(Q)mkdir -p $(O)/obj/uninstalled && cd $(O)/obj/uninstalled && \
	  PKG_CONFIG_PATH='$(abspath $(O))' && export PKG_CONFIG_PATH && \
	  $(CC) $(SANFLAGS) $(COVFLAGS) $$($(PKG_CONFIG) --cflags libraft-kv-uninstalled) -o version \
	  $(abspath $(srcdir))/test/install/version.c $$($(PKG_CONFIG) --libs $(if $(filter yes,$(SHARED)),,--static) libraft-kv-uninstalled) && \
	  LD_LIBRARY_PATH='$(abspath $(O))' ./version > output $(verdict)

# README shows what is there.
check-readme:
	$(Q)sh $(HOUSE)/readme.sh $(srcdir) $(verdict)

# Every check above is itself checked: it must find what was planted.
check-planted:
	$(Q)CC='$(CC)' CXX='$(CXX)' NM='$(NM)' sh $(HOUSE)/planted.sh $(HOUSE) $(O)/obj/planted

# What the scripts of .ci count and install.
check-ci:
	$(Q)sh $(HOUSE)/ci.sh $(srcdir) $(O)/obj/ci

# The build, built.
check-workshop:
	$(Q)if command -v $(AUTOCONF) > /dev/null; then CC='$(CC)' MAKE='$(MAKE)' sh $(HOUSE)/workshop.sh $(srcdir) $(O)/obj/workshop; \
	  else echo 'skip - $@: no autoconf'; fi

# Each corpus file, and all its beginnings, through its target.
$(FUZZ_CHECKS): check-fuzz-%: $(O)/fuzz-%
	$(Q)$(if $(FUZZ),$(RUN) $< -runs=20000 -max_total_time=20,$(RUN) $<) \
	  $(wildcard $(srcdir)/test/fuzz/corpus/$*) $(verdict)

# An example runs in an empty folder, without arguments, and exits 0; where
# that is not enough, its folder holds a check.sh that is given the program.
$(EXAMPLE_CHECKS): check-example-%: $(O)/%
	$(Q)rm -rf $(O)/obj/run/$* && mkdir -p $(O)/obj/run/$* && cd $(O)/obj/run/$* && \
	  if test -f $(abspath $(srcdir))/examples/$*/check.sh; \
	  then $(RUN) sh $(abspath $(srcdir))/examples/$*/check.sh $(abspath $<); \
	  else $(RUN) $(abspath $<); fi > output 2>&1 \
	  && echo 'ok - $@' || { cat output; echo 'not ok - $@'; exit 1; }

check-bindings: $(LIBRARIES)
ifeq ($(PYTHON),)
	$(call skip,no python3)
else ifneq ($(SHARED)$(SANITIZE)$(COVERAGE),yes)
	$(call skip,needs a shared library without instruments)
else
	$(Q)for f in $(BINDINGS); do \
	  RAFTKV_LIBRARY=$(abspath $(O)/$(SO)) LD_LIBRARY_PATH=$(abspath $(O)) PYTHONDONTWRITEBYTECODE=1 \
	  $(RUN) $(PYTHON) $$f > $(O)/obj/binding.out 2>&1 || { cat $(O)/obj/binding.out; exit 1; }; \
	  done && \
	  RAFTKV_LIBRARY=$(abspath $(O)/$(SO)) PYTHONPATH=$(srcdir)/examples/bindings/python PYTHONDONTWRITEBYTECODE=1 \
	  $(PYTHON) $(HOUSE)/bindings.py $(srcdir)/test/layout.txt $(verdict)
endif

check-server-units: $(O)/check-server-units
	$(Q)$(O)/check-server-units

# Process tests print their own ok, not ok and skip lines.  They wait for what
# they need, however long that takes; each is shown, whatever became of others.
check-server: $(SERVER_PROGRAMS)
ifeq ($(SERVER),yes)
	$(Q)bad=0; for f in $(SERVER_SCRIPTS); do \
	  RAFTKVD=$(abspath $(O)/raftkvd) RAFTKVCTL=$(abspath $(O)/raftkvctl) O=$(abspath $(O)) ROUNDS=$${ROUNDS:-$(if $(SANITIZE),6,20)} \
	  timeout 1200 sh $$f || { echo "not ok - $$f"; bad=1; }; done; test $$bad = 0 $(verdict)
else
	$(call skip,configured without the server)
endif

# Simulated clusters.  A seed is a run; a failing one is printed with the line
# that repeats it.
SEEDS = 300
START = 1
JOBS = 2
SHORT_SEEDS = $(if $(SANITIZE),20,120)
check-sim-short: $(O)/sim
	$(Q)$(RUN) $(O)/sim --start 1 --seeds $(SHORT_SEEDS) --jobs $(JOBS) $(verdict)
check-sim: $(if $(SIM_OBJS),$(O)/sim check-sim-twice)
ifneq ($(SIM_OBJS),)
	$(Q)$(O)/sim --start $(START) --seeds $(SEEDS) --jobs $(JOBS) $(verdict)
else
	$(call skip,there is no simulation)
endif
# One seed in a hundred, told in full, is the same to the byte when it is run
# again.
check-sim-twice: $(O)/sim
	$(Q)for seed in $$(seq $(START) 100 $$(($(START) + $(SEEDS) - 1))); do \
	  for time in first second; do $(O)/sim --seed $$seed --trace > $(O)/obj/sim.$$time || exit 1; done; \
	  cmp $(O)/obj/sim.first $(O)/obj/sim.second || exit 1; done; \
	  grep -q '^trace hash ' $(O)/obj/sim.first $(verdict)
# Every run of a few members, as far as the time goes: so many states, so deep.
check-explore-short: $(O)/explore
	$(Q)$(RUN) $(O)/explore --short $(verdict)
check-explore: $(O)/explore
	$(Q)$(O)/explore --seconds 100 --memory 4096 $(verdict)
# For as long as anybody likes; a failing seed is printed when it fails.
MINUTES = 60
MEMORY = 16384
soak: $(O)/sim $(O)/explore
	$(Q)$(O)/sim --start $(START) --minutes $(MINUTES) --jobs $(JOBS) $(verdict)
	$(Q)$(O)/explore --seconds $$((60 * $(MINUTES))) --memory $(MEMORY) $(verdict)

# The simulator of a library that was broken on purpose must say so: each patch
# in test/sim/mutants, or those named in MUTANTS.
check-mutants: $(O)/sim
	$(Q)COMPILE='$(COMPILE) $(INC_lib)' LINK='$(LINK)' OBJECTS='$(SIM_OBJS) $(ORACLE_OBJS) $(DISK_OBJS) $(REPLAY_OBJS)' \
	  LIBRARY='$(LIB)' LIBS='$(SIM_WRAPS) $(LIB_LIBS) $(THREAD_LIBS)' \
	  sh $(HOUSE)/mutants.sh $(srcdir) $(O)/mutants $(O)/sim $(MUTANTS)

# The whole of check again, elsewhere: a build folder of its own, configured
# like this one and then some.
WITHOUT = $(if $(filter no,$(SERVER)),--without-server)
elsewhere = $(Q)mkdir -p $(O)/$1 && cd $(O)/$1 && \
	if test configure.flags -nt $(abspath $(srcdir))/configure && test "$$(cat configure.flags)" = '$2'; then :; \
	else CC='$(strip $3)' $(abspath $(srcdir))/configure --quiet $2 > configure.out 2>&1 || { cat configure.out; exit 1; }; \
	echo '$2' > configure.flags; fi
check-san: $(srcdir)/configure
	$(call elsewhere,san,--enable-sanitizers $(WITHOUT),$(CC))
	+$(Q)$(MAKE) -C $(O)/san --no-print-directory check O=build

# Leaks are the sanitizer's business, which sees each test alone; here a test
# that forks would count what its child left to the system.
check-valgrind: $(O)/check-raftkv
	$(Q)CK_FORK=no CK_EXCLUDE_TAGS="$${CK_EXCLUDE_TAGS-slow}" CK_TIMEOUT_MULTIPLIER=20 \
	  valgrind -q --error-exitcode=9 --leak-check=no $(O)/check-raftkv $(verdict)

# What other eyes see.  Needs make deps-dev.
SCRIPTS = $(call sources,.ci/run .ci/deps test/*/*.sh examples/*.sh examples/*/*.sh)
lint: lint-clang lint-format lint-shell lint-man lint-cppcheck lint-tidy
lint-clang: $(srcdir)/configure
	$(call elsewhere,clang,--enable-werror $(WITHOUT),clang)
	+$(Q)$(MAKE) -C $(O)/clang --no-print-directory all programs O=build $(verdict)
lint-format:
	$(Q)cd $(srcdir) && bad=0 && for f in $$(find include lib examples test -name '*.[ch]' 2>/dev/null | sort); do \
	  clang-format --dry-run -Werror --style=file $$f 2>/dev/null || { echo "clang-format -i $$f"; bad=1; }; \
	  done; test $$bad = 0 $(verdict)
lint-shell:
	$(Q)shellcheck -x -P SCRIPTDIR -s sh $(SCRIPTS) $(verdict)
lint-man:
	$(Q)$(if $(MANS),mandoc -Tlint -W warning $(MANS),true) $(verdict)
lint-cppcheck:
	$(Q)cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
	  --suppress=missingIncludeSystem --suppress=arrayIndexOutOfBoundsCond -j 2 -I $(srcdir)/include $(srcdir)/lib $(verdict)

TIDY_FLAGS = -std=c11 -Iinclude -I$(SERVER_DIR) $(SERVER_CFLAGS) -I$(abspath $(O))/obj/$(SERVER_DIR)
lint-tidy: $(PROTO_SRCS)
	$(Q)cd $(srcdir) && find lib examples -name '*.c' 2>/dev/null | sort | xargs -P 2 -n 4 \
	  sh -c 'clang-tidy --quiet "$$@" -- $(TIDY_FLAGS) 2>/dev/null' tidy $(verdict)

# Everything that can be built and is not installed.
programs: $(TEST_PROGRAMS) $(BENCHES)

# Debian's kernel gives large pages to every program; where a machine gives
# them only to those who ask, malloc asks, so that figures compare.  Programs
# that start servers do not: memory of processes is one of their figures.
LARGE_PAGES = GLIBC_TUNABLES=glibc.malloc.hugetlb=1
bench: $(if $(BENCH),$(O)/bench-$(BENCH),$(BENCHES)) $(SERVER_PROGRAMS)
	$(Q)for b in $(filter $(O)/bench-%,$^); do \
	  case $$b in *-server) pages=;; *) pages=$(LARGE_PAGES);; esac; \
	  env $$pages RAFTKVD=$(abspath $(O)/raftkvd) O=$(abspath $(O)) $$b || exit 1; done

demo: deps all
	$(Q)RAFTKVD=$(abspath $(O)/raftkvd) RAFTKVCTL=$(abspath $(O)/raftkvctl) O=$(abspath $(O)) \
	  DEMO_INPUT='$(DEMO_INPUT)' sh $(srcdir)/$(SERVER_DIR)/demo.sh

sizes:
	@sh $(HOUSE)/sizes.sh $(srcdir)

.PHONY: check check-units $(CHECKS) check-sim check-sim-twice check-mutants check-explore soak check-conformance stories-rewrite check-san check-valgrind lint lint-clang lint-format \
	lint-shell lint-man lint-cppcheck lint-tidy programs bench demo sizes
