# SPDX-License-Identifier: Apache-2.0
# What `make install` has beside the program and its pages, and the packages made of it.
bindir     ?= $(prefix)/bin
libexecdir ?= $(prefix)/libexec
# The program looks nowhere else.
sysconfdir ?= /etc
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

install-system: $(UNITS)
	install -D -m 755 -t $(DESTDIR)$(libexecdir)/colony packaging/each-colony
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) $(BUILD)/systemd/colony.service $(BUILD)/systemd/colony@.service \
	    packaging/systemd/colony.socket
	install -D -m 644 $(BUILD)/systemd/colony.user.service $(DESTDIR)$(USERUNITDIR)/colony.service
	install -D -m 644 packaging/systemd/colony.sysusers $(DESTDIR)$(prefix)/lib/sysusers.d/colony.conf
	install -D -m 644 packaging/systemd/colony.tmpfiles $(DESTDIR)$(prefix)/lib/tmpfiles.d/colony.conf

# Only where there are none, and not for a prefix of somebody who may not write there.
install-config:
	test -n '$(DESTDIR)' || test -w $(sysconfdir) || exit 0; \
	install -d -m 755 $(DESTDIR)$(sysconfdir)/colony/conf.d && \
	{ test -e $(DESTDIR)$(sysconfdir)/colony/colony.yaml || \
	    install -m 644 packaging/config/colony.yaml $(DESTDIR)$(sysconfdir)/colony/colony.yaml; }

# What is committed; in what was unpacked of a tarball, what is there. Times and modes are nobody's own.
DIST   ?= colony-$(VERSION).tar.gz
FOLDER := colony-$(VERSION)
ifneq ($(wildcard .git),)
ARCHIVE   = git -c tar.umask=0022 archive --format=tar --prefix=$(FOLDER)/ HEAD
COMMITTED = $(shell git log -1 --format=@%ct)
else
ARCHIVE   = tar -c --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw --mtime=$(COMMITTED) \
            --exclude='./$(BUILD:$(CURDIR)/%=%)' --exclude='./*.tar.gz*' --exclude='__pycache__' --transform='s,^\.,$(FOLDER),S' .
COMMITTED = $(shell date -r VERSION +@%s)
endif

dist: ## a tarball of what is committed, the same bytes each time
	$(ARCHIVE) > $(DIST).tar || { rm -f $(DIST).tar; exit 1; }
	gzip -n9 < $(DIST).tar > $(DIST)
	rm $(DIST).tar

# Debian packages of the tarball, in $(BUILD)/deb; objects are made there, or in COLONY_OBJECTS.
# DEB_FLAGS=--build=source makes the source package instead.
DEB       := $(abspath $(BUILD))/deb
DEB_FLAGS ?= --build=binary
deb: ## Debian packages of what is committed, in build/deb (takes debhelper)
	rm -rf $(DEB)
	mkdir -p $(DEB)
	$(MAKE) dist DIST=$(DEB)/colony_$(VERSION).orig.tar.gz
	tar -x -C $(DEB) -f $(DEB)/colony_$(VERSION).orig.tar.gz
	cp -a $(DEB)/$(FOLDER)/packaging/debian $(DEB)/$(FOLDER)/debian
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$$(LC_ALL=C date -uR -d $(COMMITTED))/" \
	    packaging/debian/changelog.in > $(DEB)/$(FOLDER)/debian/changelog
	cd $(DEB)/$(FOLDER) && env -u MAKEFLAGS -u MAKELEVEL $(if $(COLONY_OBJECTS),BUILD=$(COLONY_OBJECTS)) \
	    dpkg-buildpackage $(DEB_FLAGS) --no-sign --jobs=auto

# Packages for rpm of the tarball, in $(BUILD)/rpm. RPM_FLAGS=--nodeps where the libraries are another
# packager's, as on Debian.
RPM := $(abspath $(BUILD))/rpm
rpm: ## packages for rpm of what is committed, in build/rpm (takes rpmbuild)
	rm -rf $(RPM)
	mkdir -p $(RPM)/SOURCES $(RPM)/SPECS
	$(MAKE) dist DIST=$(RPM)/SOURCES/colony-$(VERSION).tar.gz
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$$(LC_ALL=C date -u -d $(COMMITTED) +'%a %b %d %Y')/" \
	    packaging/rpm/colony.spec > $(RPM)/SPECS/colony.spec
	env -u MAKEFLAGS -u MAKELEVEL rpmbuild -bb $(RPM_FLAGS) --define '_topdir $(RPM)' \
	    $(if $(COLONY_OBJECTS),--define 'colony_objects $(COLONY_OBJECTS)') $(RPM)/SPECS/colony.spec
