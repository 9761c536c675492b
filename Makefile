# alertspool: GNU make, no generator. `make` builds build/alertspool; `make check` builds and tests everything;
# `make run` shows it at work. Each of these installs the Debian packages it lacks (see tools/deps).

VERSION := 0.1.0

# ---- where things go

BUILD      ?= build
PREFIX     ?= /usr/local
DESTDIR    ?=
SYSCONFDIR ?= /etc
BINDIR     := $(PREFIX)/bin
CGIDIR     := $(PREFIX)/lib/cgi-bin
MANDIR     := $(PREFIX)/share/man
DOCDIR     := $(PREFIX)/share/doc/alertspool

# ---- how to compile

CXX      ?= g++
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast \
            -Wcast-qual -Wformat=2 -Wundef -Wimplicit-fallthrough $(if $(CI),-Werror)
OPTIMIZE ?= -O2 -g
HARDEN   ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CXXFLAGS ?= $(OPTIMIZE) $(HARDEN)
LDFLAGS  ?= -pie -Wl,-z,relro,-z,now
override CXXFLAGS += -std=c++20 -pthread $(WARNINGS) -Isrc -isystem /usr/include/soci -DALERTSPOOL_VERSION='"$(VERSION)"'
LDLIBS   := -lfcgi -lboost_program_options -lsoci_core -lsoci_sqlite3 -lnettle -ldl

SOURCES := $(filter-out src/main/main.cc,$(wildcard src/*/*.cc))
OBJECTS := $(SOURCES:%.cc=$(BUILD)/%.o)
TESTS   := $(wildcard tests/*_test.cc)

.PHONY: all
all: $(BUILD)/alertspool

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libalertspool.a: $(OBJECTS)
	$(AR) rcs $@ $^

$(BUILD)/alertspool: $(BUILD)/src/main/main.o $(BUILD)/libalertspool.a
	$(CXX) $(LDFLAGS) -pthread -o $@ $^ -Wl,--as-needed $(LDLIBS)

$(BUILD)/unit-tests: $(TESTS:%.cc=$(BUILD)/%.o) $(BUILD)/libalertspool.a
	$(CXX) $(LDFLAGS) -pthread -o $@ $^ -lgtest -lgtest_main $(LDLIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
