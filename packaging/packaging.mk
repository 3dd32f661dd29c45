# SPDX-License-Identifier: Apache-2.0
# What `make install` has beside the program and its pages, and the packages made of it.
bindir     ?= $(prefix)/bin
sysconfdir ?= $(if $(filter /usr /usr/local,$(prefix)),/etc,$(prefix)/etc)
UNITDIR     = $(prefix)/lib/systemd/system
USERUNITDIR = $(prefix)/lib/systemd/user
# notify-reload is known to systemd 253 and later; before, a reload is a command.
SYSTEMD_TYPE ?= $(shell v=$$(systemctl --version 2>/dev/null | sed -n '1s/systemd \([0-9]*\).*/\1/p'); \
                  [ "$${v:-0}" -ge 253 ] && echo notify-reload || echo notify)
UNITS := $(addprefix $(BUILD)/systemd/,colony.service colony@.service colony.user.service)
RELOAD_colony@.service := --state /var/lib/colony-%i

FORCE:

units: $(UNITS)

# Made anew each time: they name the prefix.
$(BUILD)/systemd/%: packaging/systemd/%.in packaging/systemd/hardening FORCE
	@mkdir -p $(@D)
	sed -e 's,@TYPE@,$(SYSTEMD_TYPE),;s,@BINDIR@,$(bindir),' \
	    -e '$(if $(filter notify,$(SYSTEMD_TYPE)),s|@RELOAD@|ExecReload=$(bindir)/colony ctl $(RELOAD_$*)$(if $(RELOAD_$*), )reload|,/@RELOAD@/d)' \
	    -e '/@HARDENING@/{r packaging/systemd/hardening' -e 'd}' $< > $@.new && mv $@.new $@

# The settings only where there are none, and the files of /etc only where colony looks for them.
install-system: $(UNITS)
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) $(BUILD)/systemd/colony.service $(BUILD)/systemd/colony@.service \
	    packaging/systemd/colony.socket
	install -D -m 644 $(BUILD)/systemd/colony.user.service $(DESTDIR)$(USERUNITDIR)/colony.service
	install -D -m 644 packaging/systemd/colony.sysusers $(DESTDIR)$(prefix)/lib/sysusers.d/colony.conf
	install -D -m 644 packaging/systemd/colony.tmpfiles $(DESTDIR)$(prefix)/lib/tmpfiles.d/colony.conf

install-config:
	install -d -m 755 $(DESTDIR)$(sysconfdir)/colony/conf.d
	test -e $(DESTDIR)$(sysconfdir)/colony/colony.yaml || \
	    install -m 644 packaging/config/colony.yaml $(DESTDIR)$(sysconfdir)/colony/colony.yaml
