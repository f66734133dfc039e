# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab: emulated Xen hosts made from Debian packages.

packages    what comes from Debian, downloaded and unpacked under build/
hypervisor  the Xen that a host boots: Debian's own, or built from its source
image       the initramfs of a host's Dom0 and of a guest
instance    one lab: its folder, names, ports and state
host        one emulated host: its QEMU, its console, commands in its Dom0
link        the wire between the hosts (relay.c)
guest       Xen guests on a host and their witness
workloads   what a guest's witness does while it is moved
process     programs on this machine that the lab starts and ends
steps       a move by xl-migrate send, met at a given point
testing     what the lab's tests have in common
cli         the `lab` command
"""


class LabError(Exception):
    """Something a person must be told, in one line or with a console's end."""
