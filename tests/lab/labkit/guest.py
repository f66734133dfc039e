# SPDX-License-Identifier: LGPL-2.1-or-later
"""Xen guests on the lab's hosts, and what their witness says.

A guest boots Debian's kernel with an initramfs that holds the witness (see
tests/lab/witness). All talk with it goes over the guest's console, which every
kind of guest has: one command line in, one `@witness JSON #crc32` line out.
"""

import itertools
import json
import re
import time
import zlib

from . import LabError
from .host import Host
from .instance import ADDRESS

KINDS = ("pv", "pvh", "hvm")
BOOT_LIMIT_S = 240
FIRST_ADDRESS = 20
ECHO_PORT = 7007
# Light: guest and Dom0 share one emulated processor.
DEFAULT_WORKLOAD = "uniform,size=8M,rate=256K,verify=512K,tick=10"
REPLY = re.compile(r"@witness (\{.*\}) #([0-9a-f]{8})\s*$")
TAGS = itertools.count(time.time_ns() // 1000000 % 100000000)


def disk_spec(spec):
    """The disk as xl takes it: blkback's, or as an image that QEMU serves."""
    if not spec.get("disk_format"):
        return f"phy:{spec['disk']},xvda,w"
    return (f"format={spec['disk_format']},backendtype=qdisk,vdev=xvda,"
            f"access=w,target={spec['disk']}")


def xl_config(name, spec):
    """The xl configuration of a guest. Of a spec's own: settings, a dict of
    lines that come last and so count, and words, which its kernel gets."""
    extra = (f"console=hvc0 quiet mitigations=off panic=5 lab.workload={spec['workload']} "
             + spec.get("words", "")).rstrip()
    lines = [
        f'name = "{name}"', f'type = "{spec["type"]}"',
        'kernel = "/boot/vmlinuz"', 'ramdisk = "/boot/guest.cpio"',
        f"memory = {spec['mib']}", f"vcpus = {spec['vcpus']}",
        'on_crash = "destroy"', 'on_poweroff = "destroy"',
        'on_reboot = "restart"',
    ]
    if spec["type"] == "hvm":
        lines += ['vga = "none"', 'usb = 0', 'xen_platform_pci = 1']
    if spec.get("disk"):
        lines.append(f'disk = ["{disk_spec(spec)}"]')
        extra += " lab.disk=/dev/xvda"
    if spec.get("address"):
        # Its address is told only if asked for: for ARP announcements.
        told = f",ip={spec['address']}" if spec.get("tell_address") else ""
        lines.append(f'vif = ["mac={spec["mac"]},bridge=xenbr0{told}"]')
        extra += (f" lab.ip={spec['address']}/25"
                  f" lab.peer={spec['peer']}:{ECHO_PORT}")
    lines.append(f'extra = "{extra}"')
    lines += [f"{key} = {json.dumps(value)}"
              for key, value in spec.get("settings", {}).items()]
    return "\n".join(lines) + "\n"


def find(lab, name):
    """The host on which the guest runs now, and its domain id."""
    found = []
    for host_name in sorted(lab.state["hosts"]):
        host = Host(lab, host_name)
        if host.is_on():
            done = host.sh(f"xl domid '{name}'", capture_output=True,
                           text=True, timeout=60)
            if done.returncode == 0:
                found.append((host, int(done.stdout)))
    if not found:
        raise LabError(f"no guest '{name}' on any host")
    if len(found) > 1:
        where = ", ".join(host.name for host, _ in found)
        raise LabError(f"guest '{name}' is on more than one host: {where}")
    return found[0]


def parse_reply(text, tag):
    """The answer with this tag, or None when it is garbled or another's."""
    match = REPLY.search(text)
    if not match or zlib.crc32(match[1].encode()) != int(match[2], 16):
        return None
    answer = json.loads(match[1])
    return answer if str(answer.get("tag")) == str(tag) else None


def ask(host, name, command, limit_s=60):
    """Sends the witness one command; returns its answer.

    A console line can be garbled by the kernel's own messages: its checksum
    shows it, and the question is asked again.
    """
    deadline = time.monotonic() + limit_s
    while True:
        left = int(deadline - time.monotonic())
        if left <= 0:
            raise LabError(f"guest '{name}' does not answer '{command}' "
                           f"within {limit_s} s")
        tag = next(TAGS)
        done = host.sh(f"guest-ask '{name}' {tag} '{command}' {min(left, 20)}",
                       capture_output=True, text=True, errors="replace",
                       timeout=left + 30)
        answer = parse_reply(done.stdout, tag)
        if answer:
            if "error" in answer:
                raise LabError(f"guest '{name}': {answer['error']}")
            return answer
        if done.returncode == 3:
            raise LabError(f"no guest '{name}' on {host.name}")


def start(lab, host, name, spec):
    """Creates the guest and waits until its witness works."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,30}", name):
        raise LabError(f"'{name}' is no name for a guest")
    if re.search(r"[\s\"']", spec["workload"]):
        raise LabError(f"'{spec['workload']}' is no workload")
    used = {g["index"] for g in lab.state["guests"].values()}
    index = min(set(range(len(used) + 1)) - used)
    spec = dict(spec, index=index)
    if spec.pop("want_disk", False):
        if index >= len(lab.state["disks"]):
            raise LabError("no shared disk is free")
        spec["disk"] = f"/dev/vd{chr(ord('a') + index)}"
    if spec.pop("want_nic", False):
        spec["address"] = f"{ADDRESS}{FIRST_ADDRESS + index}"
        spec["mac"] = f"00:16:3e:00:00:{FIRST_ADDRESS + index:02x}"
        spec["peer"] = f"{ADDRESS}1"
    config = f"/etc/xen/{name}.cfg"
    text = xl_config(name, spec).replace("'", "'\\''")
    host.out(f"printf '%s' '{text}' >{config}")
    host.out(f"xl create -q {config}", timeout_s=180)
    lab.state["guests"][name] = spec
    lab.save()
    try:
        ask(host, name, "report", BOOT_LIMIT_S)
    except LabError as error:
        tail = host.sh(f"tail -n 20 /var/log/xen/console/guest-{name}.log; "
                       f"xl list '{name}'", capture_output=True, text=True)
        raise LabError(f"{error}\n{tail.stdout}{tail.stderr}") from None
    return spec


def stop(lab, name):
    """Destroys the guest wherever it is."""
    lab.state["guests"].pop(name, None)
    lab.save()
    host, domid = find(lab, name)
    host.out(f"xl destroy {domid}", timeout_s=120)
