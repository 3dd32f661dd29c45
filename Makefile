# SPDX-License-Identifier: Apache-2.0
# colony: `make help` lists what there is. Output goes to build/ (BUILD=…), never beside sources.
VERSION := $(shell cat VERSION)
BUILD   ?= build
CC      ?= cc
prefix  ?= /usr/local
libdir  ?= $(prefix)/lib
SONAME  := 0
# sqlite3 first: at each start the loader looks up 1,500 symbols of its, in the order of libraries.
PKGS    := sqlite3 libuv yaml-0.1 libcjson nettle

# What may be left out, WITHOUT='tls top': its sources and the library that they are linked with (Debian has no .pc of
# wslay's). Where there is a FILE_without.c it takes the place of FILE.c.
FEATURES := tls curl ws ini top
tls_SRC  := $(addprefix src/,core/openssl.c core/channel_tls.c api/connection_tls.c api/tls.c api/tls_wire.c)
curl_SRC := src/core/curl.c src/core/http_client.c src/rpc/pst_s3.c cli/httpcheck.c
ws_SRC   := src/api/frames.c src/api/handshake.c src/api/websocket.c
ini_SRC  := $(filter-out %_look.c,$(wildcard src/core/ini*.c))
top_SRC  := $(wildcard cli/top*.c) cli/ncurses.c
ini_PKGS := inih
ws_LIBS  := -lwslay
without  := $(sort $(WITHOUT))
ifneq ($(filter-out $(FEATURES),$(without)),)
$(error WITHOUT=$(filter-out $(FEATURES),$(without)): what can be left out is $(FEATURES))
endif
WITH     := $(filter-out $(without),$(FEATURES))
PKGS     += $(foreach f,$(WITH),$($f_PKGS))
LEFT_OUT := $(filter-out %_without.c,$(foreach f,$(without),$($f_SRC)))
STAND_IN := $(wildcard $(LEFT_OUT:.c=_without.c))

# llhttp: later Debians and Fedora have a library; Debian 12 ships its C sources (DESIGN §8).
LLHTTP_PC := $(shell pkg-config --exists libllhttp && echo libllhttp)
ifeq ($(LLHTTP_PC),)
LLHTTP_DIR ?= /usr/share
LLHTTP_CFLAGS := -isystem $(LLHTTP_DIR)/include/llhttp -DLLHTTP_STRICT_MODE=1 # later versions always are
LLHTTP_OBJS := $(addprefix $(BUILD)/llhttp/,api.o http.o llhttp.o)
else
PKGS += libllhttp
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wformat=2 -Wvla $(if $(WERROR),-Werror)
# Of one set of objects the program and the library are made: only include/colony.h is seen outside. Variables of
# threads take no call of the dynamic linker, which the keeper would need for it.
HARDEN := -fPIC -fvisibility=hidden -ftls-model=initial-exec -fstack-protector-strong $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DCOLONY_VERSION='"$(VERSION)"' -Isrc -Iinclude
ALL_CFLAGS := -std=gnu11 $(WARN) $(HARDEN) $(if $(SANITIZE),-fsanitize=$(SANITIZE) \
        -fno-omit-frame-pointer -fno-sanitize-recover=undefined) $(LLHTTP_CFLAGS) \
        $(shell pkg-config --cflags $(PKGS)) $(CFLAGS)
LINK := -Wl,-z,relro,-z,now -Wl,--as-needed -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
ALL_LDFLAGS := -pie $(LINK)
PLAIN_LIBS := $(strip $(foreach f,$(WITH),$($f_LIBS)) -lm)
LIBS := $(shell pkg-config --libs $(PKGS)) $(PLAIN_LIBS)

SRC := $(filter-out %_without.c $(LEFT_OUT),$(wildcard src/*/*.c)) $(filter src/%,$(STAND_IN))
CLI := $(filter-out %_without.c $(LEFT_OUT),$(wildcard cli/*.c)) $(filter cli/%,$(STAND_IN))
DOC := $(wildcard docs/*.c)
MAN := $(if $(shell command -v scdoc 2>/dev/null),$(filter-out $(LEFT_OUT:cli/%.c=packaging/man/colony-%.1.scd),\
         $(wildcard packaging/man/*.scd)))
OBJ := $(SRC:%.c=$(BUILD)/%.o) $(LLHTTP_OBJS)
CLI_OBJ := $(CLI:%.c=$(BUILD)/%.o)
DOC_OBJ := $(DOC:%.c=$(BUILD)/%.o)
MAN_PAGES := $(MAN:packaging/man/%.scd=$(BUILD)/man/%)
NO_MAN := $(if $(MAN),,@echo 'no man pages: that takes scdoc')
# What has threads beside the loop's, for ThreadSanitizer.
THREADED := core/logs core/log_out core/log_mark core/log_stalled core/store core/store_damage core/store_full \
            core/store_failures core/store_ids core/store_keep core/store_spool core/history core/ready \
            core/ready_line core/ready_tcp lib/calls lib/daemon lib/daemon_callbacks lib/daemon_slaves \
            lib/listeners lib/rpc_daemon lib/rpc_members lib/rpc_proxy lib/rpc_saved lib/rpc_workers
# What the keeper is made of: libc only (tests/integration/test_keeper_links.py holds it to that).
KEEPER := error folder fresh log log_out utf8 message keeper_options notes table table_instance spawn spawn_child spawn_plan spawner cgroup sweep adopt notify \
          manager manager_scope keeper keeper_adopt keeper_engine keeper_host keeper_manager keeper_notify keeper_orders keeper_processes keeper_spawn \
          keeper_streams keeper_takeover
UNIT := $(filter $(if $(T),$(foreach t,$(T),tests/$(dir $(t))test_$(notdir $(t)).c),%),$(wildcard tests/core/test_*.c tests/api/test_*.c tests/fsctl/test_*.c tests/rpc/test_*.c tests/session/test_*.c tests/lib/test_*.c))
UNIT_BIN := $(UNIT:%.c=$(BUILD)/%)
# What the bench measures beside: plain programs, whatever colony itself is built with.
BENCH := $(addprefix $(BUILD)/bench/,probe crash loop writer capture echo fan datagrams watcher stats_pread stats_colony \
         router message_daemon fingerprint_colony fingerprint_proc)
EMBED := $(patsubst examples/embed/%.c,$(BUILD)/embed/%,$(wildcard examples/embed/*.c)) $(BUILD)/embed/embedded
BENCH_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 $(WARN)
PYTEST := /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider

FUZZ := $(or $(F),$(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_BUILD := $(BUILD)/fuzz

.PHONY: help all lib abi man test test-unit test-integration test-asan test-tsan test-threads fuzz faults chaos hammer soak \
        failures bench bench-peers docs dist lint format install install-library install-system install-config units deb rpm FORCE clean
.SECONDARY:
help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile packaging/packaging.mk | expand -t 20

all: $(BUILD)/colony ## build the colony binary; WITHOUT='tls curl ws ini top' leaves out each of these

# Controllers that it loads call what colony.h has in the program itself.
$(BUILD)/colony: $(OBJ) $(CLI_OBJ)
	$(CC) $(ALL_LDFLAGS) -Wl,--export-dynamic -o $@ $^ $(LIBS)

lib: $(BUILD)/libcolony.so.$(SONAME) $(BUILD)/libcolony.a $(BUILD)/colony.pc ## libcolony, shared and static, for programs that embed colony

$(BUILD)/libcolony.so.$(SONAME): $(OBJ) src/lib/libcolony.map
	$(CC) -shared $(LINK) -Wl,-soname,$(@F) -Wl,--version-script=src/lib/libcolony.map -Wl,-z,defs -o $@ $(OBJ) $(LIBS)
	ln -sf $(@F) $(BUILD)/libcolony.so

abi: ## record the interface of the library, when a change of it is meant: tests/abi/libcolony.symbols
	/usr/bin/python3 tests/abi/abi.py include > $(BUILD)/libcolony.symbols
	mv $(BUILD)/libcolony.symbols tests/abi/

# One object, so that what is not in colony.h cannot clash with names of the program.
$(BUILD)/libcolony.a: $(OBJ)
	$(LD) -r -o $(BUILD)/libcolony.o $^
	objcopy --localize-hidden $(BUILD)/libcolony.o
	rm -f $@ && $(AR) rcs $@ $(BUILD)/libcolony.o

EMBED_CC = @mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARN) -Iinclude -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -o $@ $< \
	    -L$(BUILD) -lcolony -Wl,-rpath,'$$ORIGIN/..' $(shell pkg-config --cflags --libs libuv libcjson)

# As somebody's own program is made: of colony.h and the library.
$(BUILD)/embed/%: examples/embed/%.c include/colony.h $(BUILD)/libcolony.so.$(SONAME) Makefile
	$(EMBED_CC)
$(BUILD)/embed/%: tests/integration/%.c include/colony.h $(BUILD)/libcolony.so.$(SONAME) Makefile
	$(EMBED_CC)

$(BUILD)/colony.pc: packaging/colony.pc.in Makefile VERSION FORCE
	sed -e 's,@PREFIX@,$(prefix),;s,@LIBDIR@,$(libdir:$(prefix)/%=$${prefix}/%),;s,@VERSION@,$(VERSION),;s,@PKGS@,$(filter-out libuv libcjson,$(PKGS)),;s,@LIBS@,$(PLAIN_LIBS),' $< > $@

$(BUILD)/%.o: %.c Makefile VERSION
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# ThreadSanitizer takes clone(2) for a fork and would watch the caller no more: this is the same, unseen.
$(BUILD)/src/core/orphan.o: CPPFLAGS += $(if $(filter thread,$(SANITIZE)),-Dclone=__clone)

# What names the prefix, made anew when it is another one.
PREFIXED := $(addprefix $(BUILD)/,cli/main.o docs/main.o src/core/paths.o)
$(PREFIXED): $(BUILD)/prefix
$(PREFIXED) lint: CPPFLAGS += -DCOLONY_PREFIX='"$(prefix)"'

# And what names what is left out, so that all that is linked with it is linked anew.
$(BUILD)/src/core/features.o: $(BUILD)/without
$(BUILD)/src/core/features.o lint: CPPFLAGS += -DCOLONY_WITHOUT='"$(without)"'

$(BUILD)/prefix $(BUILD)/without: FORCE
	@mkdir -p $(@D)
	@echo '$($(@F))' | cmp -s - $@ || echo '$($(@F))' > $@

# Somebody else's code: our warnings are not its promises.
$(BUILD)/llhttp/%.o: $(LLHTTP_DIR)/llhttp/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(HARDEN) $(if $(findstring fuzzer,$(SANITIZE)),-fsanitize=$(SANITIZE)) $(LLHTTP_CFLAGS) $(CFLAGS) -w -c -o $@ $<

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(OBJ)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)
$(BUILD)/tests/fuzz/fuzz_event_source: $(BUILD)/cli/event_source.o
$(BUILD)/tests/fuzz/fuzz_log_reader: $(BUILD)/cli/log_reader.o

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(OBJ)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

# The whole program, and a socket by which tests ask its engine for what only a session asks for.
$(BUILD)/driven: $(BUILD)/tests/integration/driven.o $(OBJ) $(CLI_OBJ)
	$(CC) $(ALL_LDFLAGS) -Wl,--wrap=colony_engine_new -o $@ $^ $(LIBS)

# Programs with an engine (test_embed_calls.py) or a daemon in them (test_my_daemon.py), made as anybody's own.
$(BUILD)/calls $(BUILD)/ends $(BUILD)/runs $(BUILD)/slave_reports: $(BUILD)/%: tests/integration/%.c include/colony.h $(BUILD)/libcolony.so.$(SONAME) Makefile
	$(CC) $(BENCH_CFLAGS) -Iinclude -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -o $@ $< \
	    -L$(BUILD) -lcolony -Wl,-rpath,'$$ORIGIN' $(shell pkg-config --cflags --libs libuv libcjson)

$(BUILD)/calls $(BUILD)/ends $(BUILD)/runs: tests/integration/scenarios.h tests/hooked.h

# What tests/faults makes calls fail with, in colony alone: never linked into it.
$(BUILD)/faults.so: $(wildcard tests/faults/*.c) tests/faults/faults.h Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(filter-out -Wpedantic -Wmissing-prototypes,$(WARN)) -fPIC -shared -o $@ $(filter %.c,$^)

# What writes the reference has the tables of the program, and a main of its own.
$(BUILD)/docs/main.o: cli/main.c Makefile VERSION
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -Dmain=colony_main -Wno-missing-prototypes -MMD -MP -c -o $@ $<

$(BUILD)/docs/generate: $(DOC_OBJ) $(BUILD)/docs/main.o $(OBJ) $(filter-out %/main.o,$(CLI_OBJ))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/docs/%.md: docs/%.in.md $(BUILD)/docs/generate
	$(BUILD)/docs/generate markdown $< > $@.new && mv $@.new $@

$(BUILD)/man/%: packaging/man/%.scd $(BUILD)/docs/generate
	@mkdir -p $(@D)
	$(BUILD)/docs/generate scdoc $< > $@.scd && scdoc < $@.scd > $@.new && mv $@.new $@

man: $(MAN_PAGES) ## the man pages, in build/man, from the tables and packaging/man (takes scdoc)
	$(NO_MAN)

docs: $(BUILD)/docs/configuration.md $(MAN_PAGES) ## write docs/configuration.md and the man pages from the tables
	cp $(BUILD)/docs/configuration.md docs/
	$(NO_MAN)

test: test-unit test-integration ## all tests; T=core/template picks one unit test

test-unit: $(UNIT_BIN) ## the unit tests (cmocka), as any user
	@rc=0; for t in $(UNIT_BIN); do echo "== $$t"; $$t || rc=1; done; exit $$rc

test-integration: all lib $(EMBED) $(BUILD)/calls $(BUILD)/ends $(BUILD)/runs $(BUILD)/slave_reports $(BUILD)/driven $(BENCH) $(BUILD)/docs/generate $(BUILD)/faults.so ## the whole binary, by pytest; P=NAME picks a file of tests/integration, J=4 runs four at once (takes pytest-xdist)
	COLONY=$(abspath $(BUILD))/colony $(PYTEST) $(if $(J),-n $(J) --dist loadfile --max-worker-restart 0) $(PYTEST_FLAGS) $(if $(P),$(P:%=tests/integration/test_%.py),tests/integration)

$(BUILD)/bench/%: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $<

# No libc and nothing to relocate: its first instruction is its own.
$(BUILD)/bench/probe $(BUILD)/bench/crash: tests/bench/probe.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -ffreestanding -fno-stack-protector -fno-pie -static -nostdlib \
	    $(if $(filter %/crash,$@),-DEXIT_AT_ONCE) -o $@ $<

$(addprefix $(BUILD)/bench/,stats_colony fingerprint_colony): $(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/bench/router: tests/bench/router.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $< -lzmq

$(BUILD)/bench/message_daemon: examples/rpc/message_daemon.c Makefile
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $< $(shell pkg-config --cflags --libs libcjson)

$(addprefix $(BUILD)/bench/,stats_pread fingerprint_proc): tests/bench/samples.h

bench: all $(BENCH) ## colony beside its limits and its peers: make bench F="restart start" ROUNDS=5
	/usr/bin/python3 tests/bench/bench.py --binary $(abspath $(BUILD))/colony --json $(BUILD)/bench.json \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(BENCH_FLAGS) $(F)

bench-peers: ## install what the bench measures beside (Debian, as root); nothing of it is started
	tests/bench/install-peers

# A test asks for more memory than there can be, and wants to be told that there is none; others measure what grows.
test-asan: export ASAN_OPTIONS := allocator_may_return_null=1:quarantine_size_mb=16
test-asan: ## both under AddressSanitizer and UndefinedBehaviorSanitizer, in build/asan
	$(MAKE) BUILD=build/asan SANITIZE=address,undefined test

test-tsan: export TSAN_OPTIONS := suppressions=$(abspath tests/tsan.supp)
test-tsan: ## both under ThreadSanitizer, in build/tsan
	$(MAKE) BUILD=build/tsan SANITIZE=thread test

test-threads: export TSAN_OPTIONS := suppressions=$(abspath tests/tsan.supp)
test-threads: ## what has threads of its own under ThreadSanitizer, as CI does
	$(MAKE) BUILD=build/tsan SANITIZE=thread test-unit T="$(THREADED)"
	$(MAKE) BUILD=build/tsan SANITIZE=thread test-integration P="forward remember reload embed_calls"

faults: all $(BUILD)/faults.so ## make each call fail in turn, for T seconds: make faults T=600 SEED=1 ONLY=start,alloc
	COLONY=$(abspath $(BUILD))/colony /usr/bin/python3 tests/faults/driver.py --seconds $(or $(T),7200) \
	    $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

fuzz: ## give hostile inputs to each parser for T (20) seconds, 0: the kept ones only; F="yaml http" picks some
	$(MAKE) -j$$(nproc) BUILD=$(FUZZ_BUILD) CC=clang SANITIZE=fuzzer-no-link,address,undefined $(FUZZ:%=$(FUZZ_BUILD)/tests/fuzz/fuzz_%)
	tests/fuzz/run.py --build $(FUZZ_BUILD) --seconds $(or $(T),20) $(FUZZ)

chaos: all ## random operations and kills for T seconds, checked step by step: make chaos T=600 SEED=1
	COLONY=$(abspath $(BUILD))/colony /usr/bin/python3 tests/chaos.py --seconds $(or $(T),60) $(if $(SEED),--seed $(SEED))

hammer: all ## ask for random things from all sides for T seconds: make hammer T=600 SEED=1
	COLONY=$(abspath $(BUILD))/colony /usr/bin/python3 tests/hammer.py --seconds $(or $(T),60) $(if $(SEED),--seed $(SEED))

soak: all ## 300 processes for T seconds, memory and descriptors watched: make soak T=1800 SEED=1
	COLONY=$(abspath $(BUILD))/colony /usr/bin/python3 tests/soak.py --seconds $(or $(T),1800) $(if $(SEED),--seed $(SEED))

failures: all ## try each fault on a real colony and write what was seen into docs/reliability.md
	COLONY=$(abspath $(BUILD))/colony /usr/bin/python3 tests/failures.py --write

lint format: SRC += $(filter-out $(STAND_IN),$(wildcard src/*/*_without.c))
lint format: CLI += $(filter-out $(STAND_IN),$(wildcard cli/*_without.c))
lint: ## clang-tidy and clang-format, as errors
	clang-format --dry-run -Werror $(SRC) $(CLI) $(DOC) $(wildcard include/*.h include/*/*.h src/*/*.h cli/*.h docs/*.h tests/*/*.c)
	printf '%s\n' $(SRC) $(CLI) $(DOC) | xargs -P $$(nproc) -I{} clang-tidy --quiet {} -- -std=gnu11 $(CPPFLAGS) $(LLHTTP_CFLAGS)

format: ## let clang-format decide
	clang-format -i $(SRC) $(CLI) $(DOC) $(wildcard include/*.h include/*/*.h src/*/*.h cli/*.h docs/*.h tests/*/*.[ch] examples/embed/*.c)

install: all $(MAN_PAGES) install-library install-system install-config ## into $(DESTDIR)$(prefix)
	install -D -m 755 $(BUILD)/colony $(DESTDIR)$(prefix)/bin/colony
	$(NO_MAN)
	for page in $(MAN_PAGES); do install -D -m 644 $$page \
	    $(DESTDIR)$(prefix)/share/man/man$${page##*.}/$${page##*/} || exit 1; done
	for shell in bash zsh fish; do $(BUILD)/colony completion $$shell > $(BUILD)/completion.$$shell || exit 1; done
	install -D -m 644 $(BUILD)/completion.bash $(DESTDIR)$(prefix)/share/bash-completion/completions/colony
	install -D -m 644 $(BUILD)/completion.zsh $(DESTDIR)$(prefix)/share/zsh/site-functions/_colony
	install -D -m 644 $(BUILD)/completion.fish $(DESTDIR)$(prefix)/share/fish/vendor_completions.d/colony.fish

clean: ## remove build/
	rm -rf build

include packaging/packaging.mk

-include $(OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(DOC_OBJ:.o=.d) $(BUILD)/docs/main.d $(UNIT:%.c=$(BUILD)/%.d) \
         $(BUILD)/tests/bench/stats_colony.d $(BUILD)/tests/bench/fingerprint_colony.d $(BUILD)/tests/integration/driven.d \
         $(FUZZ:%=$(BUILD)/tests/fuzz/fuzz_%.d)
