# SPDX-License-Identifier: LGPL-2.1-or-later
"""The `lab` command: its arguments, and what each subcommand does."""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys

from . import LabError, guest, host, hypervisor, link, process
from .host import Host
from .instance import Instance


def say(text):
    """Tells the user what is going on; results go to standard output."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


# ---- up, down, status ------------------------------------------------------

def cmd_up(lab, args, with_parent=False):
    """Brings the lab up."""
    with lab.locked():
        if lab.load():
            if process.alive(lab.state.get("relay")):
                raise LabError(f"lab '{lab.name}' is up already")
            take_down(lab)
        boot = host.prepare(lab, args.xen, say)
        lab.create(mib=args.mem, vcpus=args.vcpus, dom0_mib=args.dom0_mem,
                   nr_hosts=args.hosts, xen=args.xen, **boot)
        try:
            link.start(lab, with_parent)
            hosts = [Host(lab, f"host{n}") for n in range(1, args.hosts + 1)]
            for each in hosts:
                each.power_on(with_parent)
            say(f"booting {len(hosts)} hosts ({args.xen} hypervisor)")
            for each in hosts:
                each.wait_ready()
                each.out("true")
        except BaseException:
            take_down(lab)
            raise
    say("up")


def take_down(lab):
    """Ends all that belongs to a loaded lab."""
    for name in list(lab.state["hosts"]):
        end_ssh(lab, name)
        process.end(lab.state["hosts"][name].get("qemu"), grace_s=1)
    process.end(lab.state.get("relay"), grace_s=1)
    lab.forget()


def end_ssh(lab, name):
    """Ends the shared ssh connection to a host, if there is one."""
    path = lab.run_path(name + ".ssh")
    if os.path.exists(path):
        subprocess.run(["ssh", "-F", "/dev/null", "-o",
                        f"ControlPath={path}", "-O", "exit", "lab"],
                       capture_output=True, check=False, timeout=20)


def cmd_down(lab, args):
    """Takes the lab down; --all takes down every lab of this build folder."""
    names = Instance.names() if args.all else [lab.name]
    for name in names:
        each = Instance(name)
        with each.locked():
            if each.load():
                take_down(each)
                say(f"'{name}' is down" if args.all else "down")


def cmd_status(lab, args):
    """Prints what runs."""
    state = lab.load()
    result = {"name": lab.name, "up": bool(state)}
    if state:
        result.update(xen=state["xen"], mib=state["mib"], hosts={}, guests={})
        for number in range(1, state["nr_hosts"] + 1):
            each = Host(lab, f"host{number}")
            result["hosts"][each.name] = {
                "on": each.is_on(), "ssh_port": each.state.get("ssh_port"),
                "console": each.console_log}
        result["relay"] = process.alive(state.get("relay"))
        result["guests"] = state["guests"]
    print(json.dumps(result, indent=2))
    return 0 if result["up"] else 3


def cmd_exec(lab, args):
    """Brings the lab up, runs a command, and takes the lab down again."""
    if not args.command:
        raise LabError("exec: which command?")
    cmd_up(lab, args, with_parent=True)
    try:
        env = dict(os.environ, LAB=lab.name)
        with subprocess.Popen(args.command, env=env) as proc:
            try:
                return proc.wait()
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    proc.terminate()
                raise
    finally:
        with lab.locked():
            if lab.load():
                take_down(lab)


# ---- hosts -----------------------------------------------------------------

def cmd_sh(lab, args):
    """Runs a command in a host's Dom0, exit status passed through."""
    lab.need()
    done = Host(lab, args.host).sh(" ".join(args.command), stdin=None)
    return done.returncode


def cmd_cp(lab, args):
    """Copies files: HOST:PATH on one side."""
    lab.need()
    *sources, target = args.paths
    if not sources:
        raise LabError("cp: from where to where?")
    name, colon, path = target.partition(":")
    if colon:
        Host(lab, name).copy(sources, path)
        return
    names = {source.partition(":")[0] for source in sources}
    if len(names) != 1 or not all(":" in source for source in sources):
        raise LabError("cp: one side must be HOST:PATH")
    Host(lab, names.pop()).copy([s.partition(":")[2] for s in sources],
                                target, from_host=True)


def cmd_kill(lab, args):
    """Power loss of one host."""
    with lab.locked():
        lab.need()
        each = Host(lab, args.host)
        end_ssh(lab, each.name)
        each.power_off()


def cmd_boot(lab, args):
    """Powers a host on again."""
    with lab.locked():
        lab.need()
        each = Host(lab, args.host)
        each.power_on(cpu=args.cpu)
        each.wait_ready()
        each.out("true")


def cmd_console(lab, args):
    """Prints the end of a host's console."""
    lab.need()
    print(Host(lab, args.host).console_end(args.lines))


# ---- guests and the link ---------------------------------------------------

def cmd_guest(lab, args):
    """start, report, mark, corrupt, where, stop."""
    lab.need()
    if args.action == "start":
        with lab.locked():
            lab.need()
            guest.start(lab, Host(lab, args.host), args.name, {
                "type": args.type, "mib": args.mem, "vcpus": args.vcpus,
                "workload": args.workload, "want_disk": args.disk,
                "want_nic": args.nic})
        return
    if args.action == "stop":
        with lab.locked():
            lab.need()
            guest.stop(lab, args.name)
        return
    where, domid = guest.find(lab, args.name)
    if args.action == "where":
        print(f"{where.name} {domid}")
        return
    words = " ".join([args.action, *args.words])
    print(json.dumps(guest.ask(where, args.name, words), indent=2))


def cmd_link(lab, args):
    """delay, rate, cut, heal, stats."""
    lab.need()
    words = [args.action, *args.words]
    if args.action in ("cut", "heal") and args.words:
        words = [args.action, Host(lab, args.words[0]).number]
    print(json.dumps(link.command(lab, *words), indent=2))


# ---- arguments -------------------------------------------------------------

def add_up_options(parser):
    """The options that `up` and `exec` share."""
    parser.add_argument("--xen", choices=sorted(hypervisor.KINDS),
                        default="shadow", help="the hypervisor (shadow)")
    parser.add_argument("--mem", type=int, default=2048, metavar="MIB",
                        help="memory of a host (2048)")
    parser.add_argument("--dom0-mem", type=int, default=1024, metavar="MIB",
                        help="memory of its Dom0 (1024)")
    parser.add_argument("--vcpus", type=int, default=1, metavar="N",
                        help="processors of a host (1)")
    parser.add_argument("--hosts", type=int, default=2, metavar="N",
                        choices=range(1, 6), help="how many (2)")


def add_guest_parser(commands):
    """The subcommands of `guest`."""
    parser = commands.add_parser("guest", help="Xen guests on the hosts")
    actions = parser.add_subparsers(dest="action", required=True)
    start = actions.add_parser("start", help="create one, await its witness")
    start.add_argument("name")
    start.add_argument("--type", choices=guest.KINDS, required=True)
    start.add_argument("--host", default="host1")
    start.add_argument("--mem", type=int, default=128, metavar="MIB")
    start.add_argument("--vcpus", type=int, default=1, metavar="N")
    start.add_argument("--disk", action="store_true",
                       help="with a disk that all hosts share")
    start.add_argument("--nic", action="store_true")
    start.add_argument("--workload", default=guest.DEFAULT_WORKLOAD,
                       metavar="SPEC", help="see tests/lab/witness/spec.h")
    for action, text in (("report", "what its witness has seen, as JSON"),
                         ("where", "host and domain id"),
                         ("stop", "destroy it")):
        actions.add_parser(action, help=text).add_argument("name")
    for action, text in (("mark", "begin a new phase: mark NAME PHASE"),
                         ("corrupt", "flip a bit on purpose: corrupt NAME "
                          "PAGE"), ("rate", "rate NAME BYTES_PER_S")):
        each = actions.add_parser(action, help=text)
        each.add_argument("name")
        each.add_argument("words", nargs=1)
    parser.set_defaults(run=cmd_guest, words=[])


def parse(argv):
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="lab", description="Emulated Xen hosts from Debian packages. "
        "Everything lives under build/lab; nothing leaves this machine.")
    top.add_argument("--lab", default=os.environ.get("LAB", "default"),
                     metavar="NAME", help="which lab ($LAB, or 'default')")
    commands = top.add_subparsers(dest="command_name", required=True)

    def add(name, run, text):
        parser = commands.add_parser(name, help=text)
        parser.set_defaults(run=run)
        return parser

    add_up_options(add("up", cmd_up, "boot the hosts and their wire"))
    add("down", cmd_down, "end all of it").add_argument(
        "--all", action="store_true", help="every lab of this build folder")
    add("status", cmd_status, "what runs, as JSON; status 3 when down")
    each = add("exec", cmd_exec, "up, run a command with $LAB set, down")
    add_up_options(each)
    each.add_argument("command", nargs=argparse.REMAINDER)
    each = add("sh", cmd_sh, "run a command in a host's Dom0")
    each.add_argument("host")
    each.add_argument("command", nargs=argparse.REMAINDER)
    add("cp", cmd_cp, "copy files; one side is HOST:PATH").add_argument(
        "paths", nargs="+")
    add("kill", cmd_kill, "power loss of a host").add_argument("host")
    each = add("boot", cmd_boot, "power a host on again")
    each.add_argument("host")
    each.add_argument("--cpu", default=host.CPU, metavar="MODEL",
                      help=f"its processor, as QEMU names it ({host.CPU})")
    each = add("console", cmd_console, "the end of a host's console")
    each.add_argument("host")
    each.add_argument("--lines", type=int, default=40, metavar="N")
    add_guest_parser(commands)
    each = add("link", cmd_link, "the wire: delay MS, rate BYTES_PER_S (0: "
               "none), cut [HOST], heal [HOST], stats")
    each.add_argument("action",
                      choices=("delay", "rate", "cut", "heal", "stats"))
    each.add_argument("words", nargs="*", metavar="VALUE")
    return top.parse_args(argv)


def main(argv):
    """Runs one command; returns the exit status."""
    args = parse(argv)
    # A plain kill must pass through the clean-ups, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return args.run(Instance(args.lab), args) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
