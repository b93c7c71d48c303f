# A part of debian/rules of QEMU. Written by openstack vhard qemu
# build-config; change the policy, not this file.
#
#   debian/rules nova-vhard-package
#
# makes @PACKAGE@ in the folder above. It uses the variables of
# Debian's rules, in which it is included at the end.

vhard := debian/nova-vhard
vhard-build := b/nova-vhard
vhard-package := @PACKAGE@
# Lines without the comments that give the reasons.
vhard-lines = $(shell grep '^-' $(vhard)/$(1))
# dpkg's hardening, all of it (bindnow and pie among others), then ours.
vhard-hardening := DEB_BUILD_MAINT_OPTIONS="hardening=+all" dpkg-buildflags
vhard-cflags = $(shell $(vhard-hardening) --get CFLAGS) \
	$(shell $(vhard-hardening) --get CPPFLAGS) $(call vhard-lines,cflags)
vhard-ldflags = $(shell $(vhard-hardening) --get LDFLAGS) \
	$(call vhard-lines,ldflags)
# Files go where Debian has them, and its firmware is found.
vhard-options = $(common_configure_opts) \
	$(call vhard-lines,configure-options)

$(vhard-build)/configured: $(wildcard $(vhard)/*)
	rm -rf $(vhard-build)
	mkdir -p $(vhard-build)
	test ! -e $(vhard)/types.patch || \
	    grep -q 'nova-vhard: no' hw/*/*.c || { \
	    echo 'debian/patches/nova-vhard.patch is not applied' >&2; exit 1; }
	cp $(vhard)/devices.mak \
	    configs/devices/@ARCH@-softmmu/nova-vhard.mak
	cd $(vhard-build) && ../../configure $(vhard-options) \
	    --extra-cflags="$(vhard-cflags)" \
	    --extra-ldflags="$(vhard-ldflags)"
	touch $@

$(vhard-build)/qemu-system-@ARCH@: $(vhard-build)/configured
	$(NINJA) -C $(vhard-build) qemu-system-@ARCH@

# One package; the others of the source are not touched.
nova-vhard-package: $(vhard-build)/qemu-system-@ARCH@
	dh_prep -p$(vhard-package)
	install -D -m 0755 $< \
	    debian/$(vhard-package)/usr/bin/qemu-system-@ARCH@
	dh_link -p$(vhard-package) usr/bin/qemu-system-@ARCH@ usr/bin/kvm
	dh_installdocs -p$(vhard-package) $(vhard)/devices.mak \
	    $(vhard)/configure-options
	dh_installchangelogs -p$(vhard-package)
	dh_compress -p$(vhard-package)
	dh_fixperms -p$(vhard-package)
	dh_strip -p$(vhard-package) --no-automatic-dbgsym
	dh_shlibdeps -p$(vhard-package)
	dh_installdeb -p$(vhard-package)
	dh_gencontrol -p$(vhard-package)
	dh_md5sums -p$(vhard-package)
	dh_builddeb -p$(vhard-package) --destdir=..

.PHONY: nova-vhard-package
