"""libvirt's nwfilters: what libvirt makes of them for an interface, and whether it is there.

libvirt 9.0: ``src/nwfilter/nwfilter_gentech_driver.c`` follows references and fills in variables,
``nwfilter_ebiptables_driver.c`` makes the rules.
"""
