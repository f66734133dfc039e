# SPDX-License-Identifier: LGPL-2.1-or-later
"""A move by xl-migrate send that a test meets at a given point.

    send ─ pre-send ─ OFFERED ── copy ──── suspend ─ READY ─ GO ─ STARTED
           begin      early      late      suspend   ready       started

The points are met where they happen, in the Dom0 of one end, so that a command
can follow within milliseconds: by a hook that holds the move, by the journals,
by the status that send answers, and by the guest's own key in xenstore.
"""

import json
import os
import re
import shlex
import tempfile
import time

from . import LabError, guest, link

CASES = "/var/lib/xl-migrate"
HOOKS = "/etc/xen/xl-migrate.d"
# How often a journal or a key is looked at, and for how long at most.
LOOK_US, LOOKS = 5000, 8000
# meet SIDE ENTRY: until a journal of that side has that entry.
MEET = f"""#!/bin/bash
for ((i = 0; i < {LOOKS}; i++)); do
    for journal in {CASES}/*.$1.journal; do
        [ -e "$journal" ] || continue
        while IFS= read -r line; do
            case $line in *'"entry":"'$2'"'*) exit 0 ;; esac
        done 2>/dev/null <"$journal"
    done
    usleep {LOOK_US}
done
echo "no journal of the $1 has $2" >&2
exit 1
"""
# pids WORDS...: of what was started by a command that begins so.
PIDS = """#!/bin/bash
none=1
for process in /proc/[0-9]*; do
    mapfile -d '' words 2>/dev/null <"$process/cmdline" || continue
    case "${words[*]} " in
    "$* "*) echo "${process#/proc/}" && none=0 ;;
    esac
done
exit $none
"""
# A hook: holds its phase while it is told to.
HOLD = """#!/bin/sh
[ -e "/run/hold/$1" ] || exit 0
touch "/run/held/$1"
while [ -e "/run/hold/$1" ]; do usleep 20000; done
"""
# asked DOMID: until that domain is asked to suspend. A watch fires when it is
# set, then when its key is written; the guest takes the word at once.
ASKED = """#!/bin/bash
nr=0
while read -r _; do
    [ $((++nr)) = 1 ] || exit 0
done < <(timeout 120 xenstore-watch "/local/domain/$1/control/shutdown")
echo "domain $1 is never asked to suspend" >&2
exit 1
"""
PROGRAMS = {"meet": MEET, "pids": PIDS, "asked": ASKED}
POINTS = ("begin", "early", "late", "suspend", "ready", "started")
# Of the guest's pages, in percent, when the copy counts as early and as late.
EARLY_PERCENT, LATE_PERCENT = 5, 60
LIMIT_S = 120
LOOK_S = 0.1
END_LIMIT_S = 300
# What a move leaves running only if something is wrong; and those that stay
# for as long as their guest, as the monitor that answers its reboots.
MOVERS = ("xl-migrate send", "xl-migrate receive", "xl migrate", "xl save")
MONITORS = ("xl migrate-receive", "xl restore")


def chosen(variable, default):
    """What a variable of the environment lists, separated by commas."""
    return [word for word in os.environ[variable].split(",") if word] \
        if variable in os.environ else list(default)


def put(host, path, text):
    """A program of ours in a host's Dom0."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as out:
        out.write(text)
        out.flush()
        os.chmod(out.name, 0o755)
        host.copy([out.name], path)


def install(host):
    """The programs of this file and the hook, in a host's Dom0."""
    for name, text in PROGRAMS.items():
        put(host, f"/usr/sbin/{name}", text)
    host.out(f"mkdir -p {HOOKS} /run/hold /run/held && chmod 755 {HOOKS}")
    put(host, f"{HOOKS}/hold", HOLD)


def prepare(run):
    """All hosts get the plugin, the plain wire and what points need."""
    run.install_plugin()
    run.use_plain_wire()
    for name in sorted(run.lab.state["hosts"]):
        install(run.host(name))


def copies(run):
    """All guests' names on all hosts that are on, with their host."""
    found = []
    for name in sorted(run.lab.state["hosts"]):
        listed = run.host(name).out("xl list | tail -n +3")
        words = [line.split() for line in listed.splitlines()]
        # A dying one is none: a stock xl whose connection died holds it.
        found += [(name, each[0]) for each in words if each[-2][5] != "d"]
    return found


def nr_boots(run):
    """How often a witness has said on any console of any host that it is
    ready: a guest that moves does not say so again."""
    logs = "/var/log/xen/console/guest-*.log"
    return sum(int(run.host(name).out(
        f"cat {logs} 2>/dev/null | grep -c '\"ready\":true' || true"))
        for name in run.lab.state["hosts"])


def movers_left(run):
    """The processes of moves, saves and restores that still run, by host."""
    left, guests = [], copies(run)
    for name in sorted(run.lab.state["hosts"]):
        host = run.host(name)
        nr_guests = sum(each[0] == name for each in guests)
        for words in MOVERS + MONITORS:
            nr_pids = len(host.out(f"pids {words} || true").split())
            if nr_pids > (nr_guests if words in MONITORS else 0):
                left.append(f"{name}: {words}")
        helpers = host.out("pidof xl-save-helper libxl-save-helper || true")
        if helpers:
            left.append(f"{name}: a save helper")
    return left


def reset(run):
    """After a test that failed: no move, no domain and no case is left."""
    for name in sorted(run.lab.state["hosts"]):
        host = run.host(name)
        host.out("rm -f /run/hold/* /run/held/*")
        for words in MOVERS + MONITORS:
            host.sh(f"kill -9 $(pids {words})", capture_output=True)
        host.sh("kill -9 $(pidof xl-save-helper libxl-save-helper)",
                capture_output=True)
        host.out("for domid in $(xl list | awk 'NR>2{print $2}'); do "
                 f"xl destroy $domid; done; rm -f {CASES}/*.journal")
    run.lab.state["guests"].clear()
    run.lab.save()


class Move:
    """One move of a guest by send, on its way from where it runs.

    options: of send. target: a host's name. hold: phases of hooks at which
    the move waits until let_go(); of the source's and of the target's.
    """

    def __init__(self, run, name, target, options="", hold=()):
        self.run, self.name = run, name
        self.stock = "--stock" in options
        self.source, self.domid = guest.find(run.lab, name)
        self.target = run.host(target)
        for host in (self.source, self.target):
            host.out("rm -f /run/hold/* /run/held/*; " + "".join(
                f"touch /run/hold/{phase}; " for phase in hold))
        shell = run.shells[not self.stock]
        self.send = run.start(self.source, f"xl-migrate send --json -s {shell}"
                              f" {options} {name} {target}")

    def check_on_its_way(self):
        """Fails if send has ended."""
        if self.send.poll() is not None:
            raise LabError(f"send ended early:\n{self.send.communicate()[0]}")

    def let_go(self, *phases):
        """The move goes on from these phases."""
        for host in (self.source, self.target):
            host.out("rm -f " + " ".join(f"/run/hold/{phase}"
                                         for phase in phases))

    def _await(self, what, look):
        deadline = time.monotonic() + LIMIT_S
        while not look():
            self.check_on_its_way()
            if time.monotonic() > deadline:
                raise LabError(f"the move never gets to '{what}'")
            time.sleep(LOOK_S)  # whom is asked tells nobody

    def await_hold(self, phase):
        """Waits until a hook holds the move there."""
        host = self.source if phase.startswith("pre-s") and \
            phase != "pre-start" else self.target
        self._await(phase, lambda: not host.sh(
            f"[ -e /run/held/{phase} ]").returncode)

    def percent(self):
        """How much of the memory has been copied, as send says."""
        done = self.source.sh("xl-migrate status --json", capture_output=True,
                              text=True, timeout=LIMIT_S)
        for each in json.loads(done.stdout or "{}").get("running", []):
            if each.get("domid") == self.domid and each.get("total_pages"):
                return 100 * each.get("done_pages", 0) / each["total_pages"]
        return 0

    def reach(self, point, then="true"):
        """Waits for a point, then runs a shell command in the source's Dom0;
        its CompletedProcess. The move waits while the command runs if begin or
        ready is asked for (and held); let_go() is the caller's."""
        if point == "begin":
            self.await_hold("pre-send")
        elif point in ("early", "late"):
            wanted = EARLY_PERCENT if point == "early" else LATE_PERCENT
            self._await(point, lambda: self.percent() >= wanted)
        elif point == "suspend":
            then = f"asked {self.domid} && {{ {then}\n}}"
        elif point == "ready" and not self.stock:
            self.await_hold("pre-start")
        elif point in ("ready", "started"):
            entry = "GO" if point == "ready" else "DONE"
            then = f"meet source {entry} && {{ {then}\n}}"
        return self.source.sh(then, capture_output=True, text=True,
                              errors="replace", timeout=LIMIT_S)

    def end(self, limit_s=END_LIMIT_S):
        """What send said, once it has ended; an error if it does not."""
        try:
            said = self.send.communicate(timeout=limit_s)[0]
        except Exception:
            raise LabError(f"send has not ended after {limit_s:.0f} s: "
                           + self.what_status_says()) from None
        print(f"#   send ends with {self.send.returncode}: "
              f"{self.last_words(said)}", flush=True)
        return said

    def what_status_says(self):
        """One line for a person."""
        done = self.source.sh("xl-migrate status", capture_output=True,
                              text=True, errors="replace", timeout=LIMIT_S)
        return done.stdout.strip()[-300:]

    @staticmethod
    def last_words(said):
        """What send has said on standard error, without its report."""
        words = re.sub(r"^\{$.*?^\}$", "", said, flags=re.M | re.S)
        lines = [line for line in words.replace("\r", "\n").splitlines() if line]
        return " | ".join(lines[-3:])[-400:]


def recover_all(run, limit_s=90):
    """recover at every host until it says that all is settled."""
    for name in sorted(run.lab.state["hosts"]):
        deadline = time.monotonic() + limit_s
        while True:
            done = run.host(name).sh(
                f"xl-migrate recover -s {run.shells[1]} 2>&1",
                capture_output=True, text=True, timeout=LIMIT_S)
            if done.returncode != 6 or time.monotonic() > deadline:
                break
        said = " | ".join(done.stdout.strip().splitlines())
        if said:
            print(f"#   recover at {name}: {done.returncode}: {said[:300]}",
                  flush=True)
        if done.returncode not in (0, 7):
            raise LabError(f"recover at {name}: {done.returncode}: {said}")


def quote(text):
    """A word of a shell command in a Dom0."""
    return shlex.quote(text)


def slow_wire(run, delay_ms):
    """What a step takes is long enough to be met."""
    link.command(run.lab, "delay", delay_ms)
