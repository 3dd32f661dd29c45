# SPDX-License-Identifier: Apache-2.0
# What `make install` has beside the program and its pages, and the packages made of it.
bindir     ?= $(prefix)/bin
sysconfdir ?= $(if $(filter /usr /usr/local,$(prefix)),/etc,$(prefix)/etc)
UNITDIR     = $(prefix)/lib/systemd/system
USERUNITDIR = $(prefix)/lib/systemd/user
EXAMPLES    = $(DESTDIR)$(prefix)/share/doc/colony/examples
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

install-library: lib
	install -D -m 644 include/colony.h $(DESTDIR)$(prefix)/include/colony.h
	install -D -m 644 -t $(DESTDIR)$(prefix)/include/colony include/colony/*.h
	install -D -m 755 -t $(DESTDIR)$(libdir) $(BUILD)/libcolony.so.$(SONAME)
	install -D -m 644 -t $(DESTDIR)$(libdir) $(BUILD)/libcolony.a
	ln -sf libcolony.so.$(SONAME) $(DESTDIR)$(libdir)/libcolony.so
	install -D -m 644 -t $(DESTDIR)$(libdir)/pkgconfig $(BUILD)/colony.pc
	cd examples && find . -type f -not -perm /111 -exec install -D -m 644 {} $(EXAMPLES)/{} \;
	cd examples && find . -type f -perm /111 -exec install -D -m 755 {} $(EXAMPLES)/{} \;

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

# Debian packages of what is committed, in $(BUILD)/deb; objects are made there, or in COLONY_OBJECTS.
DEB := $(abspath $(BUILD))/deb
deb: ## Debian packages of what is committed, in build/deb (takes debhelper)
	rm -rf $(DEB)
	mkdir -p $(DEB)
	git archive --format=tar --prefix=colony-$(VERSION)/ HEAD | tar -x -C $(DEB)
	cp -a $(DEB)/colony-$(VERSION)/packaging/debian $(DEB)/colony-$(VERSION)/debian
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$$(git log -1 --format=%aD)/" \
	    packaging/debian/changelog.in > $(DEB)/colony-$(VERSION)/debian/changelog
	cd $(DEB)/colony-$(VERSION) && env -u MAKEFLAGS -u MAKELEVEL $(if $(COLONY_OBJECTS),BUILD=$(COLONY_OBJECTS)) \
	    dpkg-buildpackage --build=binary --no-sign --jobs=auto

# Packages for rpm of what is committed, in $(BUILD)/rpm. RPM_FLAGS=--nodeps where the libraries are another
# packager's, as on Debian.
RPM := $(abspath $(BUILD))/rpm
rpm: ## packages for rpm of what is committed, in build/rpm (takes rpmbuild)
	rm -rf $(RPM)
	mkdir -p $(RPM)/SOURCES $(RPM)/SPECS
	git archive --format=tar.gz --prefix=colony-$(VERSION)/ -o $(RPM)/SOURCES/colony-$(VERSION).tar.gz HEAD
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$$(LC_ALL=C TZ=UTC git log -1 --date=format-local:'%a %b %d %Y' --format=%ad)/" \
	    packaging/rpm/colony.spec > $(RPM)/SPECS/colony.spec
	env -u MAKEFLAGS -u MAKELEVEL rpmbuild -bb $(RPM_FLAGS) --define '_topdir $(RPM)' \
	    $(if $(COLONY_OBJECTS),--define 'colony_objects $(COLONY_OBJECTS)') $(RPM)/SPECS/colony.spec
