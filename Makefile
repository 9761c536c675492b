# alertspool: GNU make, no generator. `make` builds build/alertspool; `make check` builds and tests everything;
# `make run` shows it at work. Targets that run something install the Debian packages they lack (tools/deps); `make` alone
# does not: `make deps` first on a fresh machine.

VERSION := 0.1.0

# ---- where things go

BUILD      ?= build$(SANITIZE:%=/%)
PREFIX     ?= /usr/local
DESTDIR    ?=
SYSCONFDIR ?= /etc
BINDIR     := $(PREFIX)/bin
CGIDIR     := $(PREFIX)/lib/cgi-bin
DATADIR    := $(PREFIX)/share
MANDIR     := $(DATADIR)/man
DOCDIR     := $(DATADIR)/doc/alertspool
UNITDIR    ?= $(PREFIX)/lib/systemd/system

# ---- how to compile

# SANITIZE=address (with undefined behaviour) or SANITIZE=thread: for `make check`, in a directory of its own. The check
# of vptr needs a free descriptor, and is wrong when a test has left none.
SANITIZERS := $(if $(SANITIZE),-fsanitize=$(SANITIZE:address=address,undefined) -fno-sanitize=vptr -fno-sanitize-recover=all)
SUPPRESSIONS := $(if $(filter thread,$(SANITIZE)),$(BUILD)/tests/thread_sanitizer.o)

# PACKAGED=yes: as Debian has it.
ifdef PACKAGED
debian    = $(shell DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get $(1))
CXXFLAGS := $(call debian,CXXFLAGS) $(call debian,CPPFLAGS) -fPIE
LDFLAGS  := $(call debian,LDFLAGS) -pie
endif

CXX      ?= g++
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast \
            -Wcast-qual -Wformat=2 -Wundef -Wimplicit-fallthrough $(if $(CI),-Werror)
OPTIMIZE ?= $(if $(SANITIZE),-O1,-O2) -g
HARDEN   ?= $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
CXXFLAGS ?= $(OPTIMIZE) $(HARDEN) $(SANITIZERS)
LDFLAGS  ?= -pie -Wl,-z,relro,-z,now $(SANITIZERS)
override CXXFLAGS += -std=c++20 -pthread $(WARNINGS) -Isrc -isystem /usr/include/soci -isystem /usr/include/postgresql \
  -DALERTSPOOL_VERSION='"$(VERSION)"'
LDLIBS   := -lfcgi -lboost_program_options -lsoci_core -lsoci_sqlite3 -lsqlite3 -lnettle -ldl
# What a reader allocates the committer frees: glibc's malloc costs a sixth of the accept rate there. Sanitizers and
# valgrind bring their own.
MALLOC   ?= $(if $(SANITIZE),,-ljemalloc)

SOURCES := $(filter-out src/main/main.cc,$(wildcard src/*/*.cc))
OBJECTS := $(SOURCES:%.cc=$(BUILD)/%.o)
HEADERS := $(wildcard src/*/*.h)
TESTS   := $(wildcard tests/*_test.cc)
TARGETS := $(filter-out tests/fuzz/main.cc,$(wildcard tests/fuzz/*.cc))
JOBS    ?= $(shell nproc)

.PHONY: all
all: $(BUILD)/alertspool

$(OBJECTS): override CXXFLAGS += $(COVERED)
# GoogleTest's macros are dear to optimize, and gain nothing.
$(TESTS:%.cc=$(BUILD)/%.o): override CXXFLAGS += -O0 -g1 -U_FORTIFY_SOURCE

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -MMD -MP -c -o $@ $<

# Made anew each time: ar would keep the objects of sources that are gone.
$(BUILD)/libalertspool.a: $(OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/alertspool: $(BUILD)/src/main/main.o $(SUPPRESSIONS) $(BUILD)/libalertspool.a
	$(CXX) $(LDFLAGS) -pthread -o $@ $^ -Wl,--no-as-needed $(MALLOC) -Wl,--as-needed $(LDLIBS)

$(BUILD)/unit-tests: $(TESTS:%.cc=$(BUILD)/%.o) $(TARGETS:%.cc=$(BUILD)/%.o) $(SUPPRESSIONS) \
  $(BUILD)/libalertspool.a
	$(CXX) $(LDFLAGS) -pthread -o $@ $^ -lgtest -lgtest_main $(LDLIBS)

$(BUILD)/fuzz-targets: $(BUILD)/tests/fuzz/main.o $(TARGETS:%.cc=$(BUILD)/%.o) $(BUILD)/libalertspool.a
	$(CXX) $(LDFLAGS) -fsanitize=fuzzer -pthread -o $@ $^ $(LDLIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: deps
deps:
	tools/deps build run check lint

# ---- see it at work

.PHONY: run demo
run:
	@tools/deps build run
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/alertspool
	@tools/demo --stay $(BUILD)/alertspool

demo:
	@tools/deps build run
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/alertspool
	@tools/demo $(BUILD)/alertspool

# ---- checks

CHECKS := unit-tests system-tests check-floors check-headers check-docs check-man

.PHONY: check $(CHECKS)
check:
	@tools/deps build check
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/alertspool $(BUILD)/unit-tests check-headers
	@$(MAKE) --no-print-directory -j1 $(CHECKS)

unit-tests: $(BUILD)/unit-tests
	$(BUILD)/unit-tests --gtest_brief=1 2>$(BUILD)/unit-tests.log || { tail -n 40 $(BUILD)/unit-tests.log; exit 1; }

system-tests: $(BUILD)/alertspool $(BUILD)/clock.so
	tests/system/run $(BUILD)/alertspool

check-floors:
	tools/check-floors

# Every header compiles alone.
check-headers: $(HEADERS:%=$(BUILD)/%.alone)

$(BUILD)/%.h.alone: %.h
	@mkdir -p $(@D)
	@echo '#include "$<"' | $(CXX) $(CXXFLAGS) -I. -fsyntax-only -MMD -MP -MF $(@:.alone=.d) -MT $@ -x c++ -
	@touch $@

check-docs: $(BUILD)/alertspool
	tools/check-docs $(BUILD)/alertspool

check-man:
	mandoc -T lint -W warning man/*.[1-9]

FORMATTED := $(wildcard src/*/*.cc src/*/*.h tests/*.cc tests/*.h tests/fuzz/*.cc tests/fuzz/*.h bench/*.cc)
.PHONY: lint format coverage fuzz bench growth soak retention
lint:
	@tools/deps build lint
	clang-format --dry-run -Werror $(FORMATTED)
	cppcheck --quiet --std=c++20 --language=c++ --error-exitcode=1 --enable=warning,performance,portability \
	  --inline-suppr --suppress=missingInclude --suppress=accessMoved -Isrc src
	shellcheck -s bash completion/alertspool.bash
	shellcheck tools/deps tools/demo tools/check-floors tests/postgres tests/system/run tests/fuzz/run tests/package .ci/run examples/handlers/*
	@printf '%s\n' src/*/*.cc | xargs -P $(JOBS) -I{} clang-tidy --quiet {} -- -std=c++20 -Isrc \
	  -isystem /usr/include/soci -isystem /usr/include/postgresql -DALERTSPOOL_VERSION='"$(VERSION)"' 2>/dev/null

format:
	clang-format -i $(FORMATTED)

coverage:
	@tools/deps build check cover
	$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD)/coverage CXXFLAGS='-O0 -g --coverage' \
	  LDFLAGS=--coverage unit-tests system-tests
	gcovr --root . --filter src/ --object-directory $(BUILD)/coverage --sort-uncovered $(BUILD)/coverage

# DURATION: seconds for all targets together. What it finds stays below $(BUILD)/fuzz. Only src/ is instrumented for
# coverage: what the targets themselves do is of no interest.
DURATION ?= 120
fuzz:
	@tools/deps build fuzz
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD)/fuzz CXX=clang++ SANITIZE=address \
	  COVERED=-fsanitize=fuzzer-no-link $(BUILD)/fuzz/fuzz-targets
	tests/fuzz/run $(BUILD)/fuzz $(DURATION)

# COUNT: of crash, kills at random after every system call was met; of power-cut, cuts.
.PHONY: crash power-cut io-faults
crash power-cut io-faults:
	@tools/deps build check proof
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/alertspool
	tests/proof/$@ $(BUILD)/alertspool $(COUNT)

# DURATION: seconds under load, without what it takes until all is delivered. The same SEED makes the same choices.
# STORE=postgresql: two machines and a pair of servers.
SEED ?= $(shell date +%s)
STORE ?= sqlite
.PHONY: torture
torture:
	@tools/deps build proof
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/alertspool $(BUILD)/clock.so
	tests/proof/torture $(BUILD)/alertspool $(DURATION) $(SEED) $(STORE)

$(BUILD)/clock.so: tests/proof/clock.c
	@mkdir -p $(@D)
	$(CC) -O2 -shared -fPIC -Wall -Wextra -o $@ $<

# BENCH: options, `BENCH=--help` lists them. DURATION: of the soak.
BENCHED := floor spawn slow-sync.so
soak: BENCH += --seconds $(if $(filter file,$(origin DURATION)),3600,$(DURATION))
bench growth soak retention:
	@tools/deps build bench
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/alertspool $(BENCHED:%=$(BUILD)/bench/%)
	bench/$(@:bench=run) $(BUILD) $(BENCH)

$(BUILD)/bench/floor $(BUILD)/bench/spawn: %: %.o
	$(CXX) $(LDFLAGS) -pthread -o $@ $^ -Wl,--as-needed -lfcgi

$(BUILD)/bench/%.so: bench/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -shared -fPIC -Wall -Wextra -o $@ $<

# ---- installing: a configuration that is there already stays as it is

.PHONY: install uninstall
install: $(BUILD)/alertspool
	install -D -m 755 $(BUILD)/alertspool $(DESTDIR)$(BINDIR)/alertspool
	install -d $(DESTDIR)$(CGIDIR) $(DESTDIR)$(DOCDIR) $(DESTDIR)$(UNITDIR)
	ln -sf $(BINDIR)/alertspool $(DESTDIR)$(CGIDIR)/alertspool.cgi
	for page in man/*.[1-9]; do \
	  install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; done
	for unit in $(wildcard systemd/*); do sed 's|/usr/bin/alertspool|$(BINDIR)/alertspool|' $$unit > $(BUILD)/unit && \
	  install -m 644 $(BUILD)/unit $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; done
	install -D -m 644 completion/alertspool.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/alertspool
	install -D -m 644 completion/_alertspool $(DESTDIR)$(DATADIR)/zsh/vendor-completions/_alertspool
	umask 022 && cp -R $(wildcard README.md NEWS docs nginx-conf apache-conf examples) $(DESTDIR)$(DOCDIR)
	test -e $(DESTDIR)$(SYSCONFDIR)/alertspool/alertspool.conf || \
	  install -D -m 644 examples/alertspool.conf $(DESTDIR)$(SYSCONFDIR)/alertspool/alertspool.conf

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/alertspool $(DESTDIR)$(CGIDIR)/alertspool.cgi
	rm -f $(patsubst man/%,$(DESTDIR)$(MANDIR)/*/%,$(wildcard man/*))
	rm -f $(patsubst systemd/%,$(DESTDIR)$(UNITDIR)/%,$(wildcard systemd/*))
	rm -f $(DESTDIR)$(DATADIR)/bash-completion/completions/alertspool
	rm -f $(DESTDIR)$(DATADIR)/zsh/vendor-completions/_alertspool
	rm -rf $(DESTDIR)$(DOCDIR)

# ---- the rest

.PHONY: dist deb check-deb clean
dist:
	@mkdir -p dist
	git archive --prefix=alertspool-$(VERSION)/ -o dist/alertspool-$(VERSION).tar.gz HEAD

# From what is committed, in a directory of its own; the package ends in dist/. Who uploads it somewhere names themselves
# as its maintainer first.
NOT_OURS := bogus-mail-host,bogus-mail-host-in-debian-changelog
deb:
	@tools/deps build deb
	rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/alertspool dist
	git archive HEAD | tar -x -C $(BUILD)/deb/alertspool
	cd $(BUILD)/deb/alertspool && dpkg-buildpackage -b -uc -us >../log 2>&1 || { tail -n 40 ../log; exit 1; }
	lintian --allow-root --fail-on error,warning --suppress-tags $(NOT_OURS) $(BUILD)/deb/*.changes
	cp $(BUILD)/deb/alertspool_*.deb dist/

# In a Debian of its own, so as root: installed, used, upgraded, removed, purged.
check-deb: deb
	tests/package $$(ls -t dist/alertspool_$(VERSION)_*.deb | head -n 1)

clean:
	rm -rf $(BUILD) run dist
