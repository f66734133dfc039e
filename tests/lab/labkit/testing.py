# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the lab's test scripts share: a lab for the test, moves, and TAP.

A script is a function that takes a Run; Run.test() is one line of TAP. The
lab ends with the script, however the script ends.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from . import LabError, cli, guest, link
from .host import Host
from .instance import Instance, build_dir

MOVE_LIMIT_S = 300
GUEST_MIB = 128
HELPER = "/usr/lib/xl-migrate/xl-save-helper"  # where install_helper() puts it
PLUGIN = "/usr/sbin/xl-migrate"  # where install_plugin() puts it
OURS = f"LIBXL_SAVE_HELPER={HELPER}"
# Whose helper is at the source, and whose at the target: what the source's xl
# is given in its environment, and whether the target's is.
WAYS = {
    "ours to stock": (OURS, False),
    "stock to ours": ("", True),
    "ours to ours": (OURS, True),
}
STOCK = ("", False)
# What xl reaches the target by: with stock's helper there, with ours
# (dom0/usr/sbin/ssh-ours).
SSH = ("ssh", "ssh-ours")
PLAIN = ("plain", "plain-ours")
PLAIN_DIR = "/usr/sbin"
PLAIN_LOG = "/run/plain.log"
PLAIN_OURS = f"""#!/bin/sh
host=$1
shift
exec plain "$host" env {OURS} "$@"
"""
CONNECTION_LIMIT_S = 30  # TCP itself waits long after a pause
# As xl-migrate.conf has it where it says nothing.
ANNOUNCE_ROUNDS = 5
ANNOUNCE_LIMIT_S = 10
ANNOUNCE_AFTER_MS = 1000
# What Xen may have less than before, for its own bookkeeping.
LEFT_OVER_KIB = 2048


class Run:
    """One run of a test script: its lab and its tally."""

    def __init__(self, lab):
        self.lab = lab
        self.shells = SSH
        self.nr_tests = 0
        self.nr_failed = 0

    def host(self, name):
        """A host of the lab, by name."""
        return Host(self.lab, name)

    @contextlib.contextmanager
    def test(self, name):
        """One test: it fails when its body raises."""
        started = time.monotonic()
        self.nr_tests += 1
        word, why = "ok", ""
        try:
            yield
        except LabError as error:
            word, why = "not ok", str(error)
            self.nr_failed += 1
        except Exception as error:  # whatever it is: this test's alone
            word = "not ok"
            why = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            self.nr_failed += 1
        took = time.monotonic() - started
        print(f"{word} {self.nr_tests} - {name} ({took:.1f} s)", flush=True)
        for line in why.split("\n") if why else []:
            print("#   " + line, flush=True)

    def start_guest(self, name, kind, host="host1", **spec):
        """Starts a guest and waits for its witness."""
        guest.start(self.lab, self.host(host), name, {
            "type": kind, "mib": spec.pop("mib", GUEST_MIB),
            "vcpus": spec.pop("vcpus", 1),
            "workload": spec.pop("workload", guest.DEFAULT_WORKLOAD), **spec})

    def install_helper(self, names=None):
        """Puts our save helper on these hosts (None: all); nothing uses it by
        itself."""
        built = os.path.join(build_dir(), "bin/xl-save-helper")
        if not os.path.exists(built):
            raise LabError("build/bin/xl-save-helper is not built: make all")
        for name in names or sorted(self.lab.state["hosts"]):
            host = self.host(name)
            host.out(f"mkdir -p {os.path.dirname(HELPER)}")
            host.copy([built], HELPER)

    def install_plugin(self, names=None):
        """Puts xl-migrate and its helper on these hosts (None: all)."""
        self.install_helper(names)
        for name in names or sorted(self.lab.state["hosts"]):
            self.host(name).copy([os.path.join(build_dir(), "bin/xl-migrate")],
                                 PLUGIN)

    def use_plain_wire(self, names=None):
        """Lets moves go by plain.c from here on, not by ssh: much faster.
        names: of the hosts that are to serve it now; None: all."""
        with tempfile.TemporaryDirectory() as scratch:
            script = os.path.join(scratch, PLAIN[1])
            with open(script, "w", encoding="ascii") as out:
                out.write(PLAIN_OURS)
            os.chmod(script, 0o755)
            for name in names or sorted(self.lab.state["hosts"]):
                host = self.host(name)
                host.copy([os.path.join(build_dir(), "bin/plain"), script],
                          PLAIN_DIR)
                host.out(f"plain --serve {PLAIN_LOG}")
        self.shells = PLAIN

    def where(self, name):
        """The one host the guest runs on; an error if that is not one."""
        return guest.find(self.lab, name)[0]

    def ask(self, name, command, limit_s=60):
        """One command to a guest's witness, wherever it is."""
        return guest.ask(self.where(name), name, command, limit_s)

    def check_clean(self, name, here=None):
        """Has every page verified; fails unless nothing was ever wrong.
        here: the host it is on, if that is known: looking takes time."""
        here = here or self.where(name)
        checked = guest.ask(here, name, "check", 120)
        report = guest.ask(here, name, "report")
        if checked["errors"] or not report["clean"]:
            raise LabError(f"guest '{name}' is not clean: "
                           f"{json.dumps(report, indent=1)}")
        disk = report.get("disk", {})
        if disk.get("wrong_blocks") or disk.get("io_errors"):
            raise LabError(f"guest '{name}': its disk: {json.dumps(disk)}")
        return report

    def check_connection(self, name, here=None):
        """Fails unless the guest's one TCP connection is there still and
        carries what is sent from now on, all bytes right; its figures."""
        here = here or self.where(name)
        sent_bytes = guest.ask(here, name, "report")["stream"]["sent_bytes"]
        deadline = time.monotonic() + CONNECTION_LIMIT_S
        while True:
            stream = guest.ask(here, name, "report")["stream"]
            if stream["broken"] or stream["wrong_bytes"]:
                raise LabError(f"guest '{name}': its connection: {stream}")
            if stream["connected"] and stream["sent_bytes"] > sent_bytes and \
                    stream["received_bytes"] > sent_bytes:
                return stream
            if time.monotonic() > deadline:
                raise LabError(f"guest '{name}': its connection does not go "
                               f"on: {sent_bytes} bytes sent, then {stream}")

    def check_announced(self, name, host, since_ns):
        """Fails unless this host has told the wire of the guest's address
        since then, and soon after its first frame there; what was told.
        since_ns: of time.monotonic_ns()."""
        spec = self.lab.state["guests"][name]
        port = self.host(host).number

        def seen_of(kind):
            return [each["at_ns"] for each in
                    link.announced(self.lab, spec["mac"])
                    if each["kind"] == kind and each["port"] == port
                    and each["at_ns"] > since_ns]

        # The last rounds come after the move's end.
        deadline = time.monotonic() + ANNOUNCE_LIMIT_S
        while len(seen_of("rarp")) < ANNOUNCE_ROUNDS:
            if time.monotonic() > deadline:
                raise LabError(f"guest '{name}': {host} announced "
                               f"{len(seen_of('rarp'))} times, not "
                               f"{ANNOUNCE_ROUNDS}")
            time.sleep(0.05)  # the relay tells nobody
        rarps, arps = seen_of("rarp"), seen_of("arp")
        after_ms = (rarps[0] - min(seen_of("moved") + rarps)) / 1e6
        told = {"rarps": len(rarps), "arps": len(arps), "after_ms": after_ms,
                "took_ms": (rarps[-1] - rarps[0]) / 1e6}
        if after_ms > ANNOUNCE_AFTER_MS:
            raise LabError(f"guest '{name}': {host} announced it late: {told}")
        if spec.get("tell_address") and len(arps) < ANNOUNCE_ROUNDS:
            raise LabError(f"guest '{name}': {host} announced its IPv4 "
                           f"address too rarely: {told}")
        return told

    def check_no_case_open(self):
        """Fails if a host has a case that is not settled."""
        for name in sorted(self.lab.state["hosts"]):
            left = self.host(name).out("ls /var/lib/xl-migrate/*.journal "
                                       "2>/dev/null || true")
            if left:
                raise LabError(f"{name}: cases are left: {left}")

    @staticmethod
    def start(host, command):
        """Starts a command in a host's Dom0; returns its Popen."""
        return subprocess.Popen(
            [*host.ssh_argv(), "root@127.0.0.1", command + " 2>&1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            errors="replace")

    def free_memory(self):
        """What Xen has free on each host, in KiB."""
        return {name: 1024 * int(self.host(name).out(
            "xl info free_memory")) for name in self.lab.state["hosts"]}

    def check_nothing_left(self, free_kib):
        """Fails unless no guest, helper or lost memory is on any host."""
        for name, before in free_kib.items():
            host = self.host(name)
            domains = host.out("xl list | tail -n +3")
            if domains:
                raise LabError(f"{name}: domains are left:\n{domains}")
            left = host.out("pidof xl-save-helper libxl-save-helper || true")
            if left:
                raise LabError(f"{name}: save helpers are left: {left}")
            now = 1024 * int(host.out("xl info free_memory"))
            if now < before - LEFT_OVER_KIB:
                raise LabError(f"{name}: Xen had {before} KiB free before, "
                               f"now {now} KiB")

    def send(self, name, options="", source=None):
        """Moves a guest to the other host by xl-migrate send; its report, with
        the witness's own downtime_ms and the bytes on the link. Fails unless
        the guest is there alone and clean. source: as here of check_clean."""
        source = source or self.where(name)
        target = other_host(source.name)
        shell = self.shells["--stock" not in options]
        guest.ask(source, name, "mark moving")
        bytes_before = link.bytes_on_link(self.lab)
        said = source.out(f"xl-migrate send --json -s {shell} {options} {name} "
                          f"{target} 2>/tmp/send.log || "
                          "{ cat /tmp/send.log >&2; exit 1; }",
                          timeout_s=MOVE_LIMIT_S)
        nr_bytes = link.bytes_on_link(self.lab) - bytes_before
        report = json.loads(said)
        here = self.where(name)
        if here.name != target or report["result"] != "done":
            raise LabError(f"guest '{name}' is on {here.name}:\n{said}")
        ended = guest.ask(here, name, "mark after")["ended"]
        self.check_clean(name, here)
        return dict(report, downtime_ms=ended["longest_stall_ms"],
                    link_bytes=nr_bytes)

    def move(self, name, source, target, way=None, balloons_mib=0):
        """Moves a guest by xl migrate and returns what was measured: totals
        from outside, the rest from the witness. way: one of WAYS; None is
        stock at both ends. Fails unless the guest is at the target alone,
        clean and of the same size (give or take balloons_mib, of one that
        gives memory out and takes it back), and the helpers were whose they
        should be."""
        source, target = self.host(source), self.host(target)
        env, is_ours_there = WAYS[way] if way else STOCK
        mib = guest_memory_mib(source, name)
        guest.ask(source, name, "mark moving")
        bytes_before = link.bytes_on_link(self.lab)
        started = time.monotonic()
        said = source.out(f"{env} xl -v migrate "
                          f"-s {self.shells[is_ours_there]} {name} "
                          f"{target.name} 2>&1", timeout_s=MOVE_LIMIT_S)
        total_s = time.monotonic() - started
        nr_bytes = link.bytes_on_link(self.lab) - bytes_before
        if self.shells is PLAIN:
            said += target.out(f"cat {PLAIN_LOG}; rm {PLAIN_LOG}")
        here = self.where(name)
        if here.name != target.name:
            raise LabError(f"guest '{name}' is on {here.name}")
        now_mib = guest_memory_mib(here, name)
        if abs(now_mib - mib) > balloons_mib:
            raise LabError(f"guest '{name}' had {mib} MiB, now {now_mib}")
        check_helpers(said, env, is_ours_there)
        ended = guest.ask(here, name, "mark after")["ended"]
        report = self.check_clean(name)
        return {
            "guest": name, "from": source.name, "to": target.name,
            "total_s": round(total_s, 3),
            "downtime_ms": ended["longest_stall_ms"],
            "link_bytes": nr_bytes,
            "dirtied_pages_per_s": ended["dirtied_pages_per_s"],
            "said": re.findall(r"(?:saved|restored) \d+ MiB in [^\n]*|"
                               r"flushed \d+ disks[^\n]*", said),
            "lost_datagrams": report.get("net", {}).get("lost"),
            "longest_net_gap_ms": report.get("net", {}).get(
                "longest_gap_peer_ms"),
        }


def other_host(name):
    """Of the two hosts, the one that is not this one."""
    return "host2" if name == "host1" else "host1"


def guest_memory_mib(host, name):
    """What `xl list` says a guest has."""
    return int(host.out(f"xl list {name} | awk 'NR==2{{print $3}}'"))


def check_helpers(said, env, is_ours_there):
    """From what xl -v printed: that each end was ours if it should be."""
    # Both ends print to one terminal, and not line by line.
    for what, wanted in (("saved", env), ("restored", is_ours_there)):
        found = re.search(rf"\b{what} \d+ MiB in ", said)
        if bool(found) != bool(wanted):
            raise LabError(f"our helper {'' if found else 'did not say it '}"
                           f"{what}:\n{said}")


def save_results(name, results):
    """Writes figures as JSON under build/results."""
    folder = os.path.join(build_dir(), "results")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(results, out, indent=2)
        out.write("\n")
    return path


def main(script, *up_words, tap=True):
    """Runs a test script in a lab of its own; the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    name = f"test_{os.path.basename(sys.argv[0]).replace('-', '_')}"
    lab = Instance(os.environ.get("LAB") or name)
    args = cli.parse(["up", *up_words])
    run = Run(lab)
    try:
        cli.cmd_up(lab, args, with_parent=True)
        script(run)
    except LabError as error:
        print(f"not ok {run.nr_tests + 1} - {error}" if tap else
              f"FAILED: {error}", flush=True)
        run.nr_failed += 1
    finally:
        cli.cmd_down(lab, argparse.Namespace(all=False))
    if tap:
        print(f"1..{run.nr_tests}")
    return 1 if run.nr_failed else 0
