# SPDX-License-Identifier: LGPL-2.1-or-later
"""One emulated host: its QEMU, its console, and commands in its Dom0.

Always software emulation: Xen needs SVM, which -cpu qemu64,+svm,+npt gives
with TCG. Two NICs: the wire (through the relay) and a control network that
ends on a loopback port. The console is a socket with a log beside it.
"""

import os
import re
import select
import socket
import subprocess
import time

from . import LabError, hypervisor, image, packages, process
from .instance import ADDRESS, LAB_DIR

BOOT_LIMIT_S = 180
CPU = "qemu64,+svm,+npt"
SSH_OPTIONS = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=20",
               "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR",
               "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=12"]


def free_port():
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Host:
    """A host of a lab, by its name (host1, host2, ...)."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        match = re.fullmatch(r"host([1-9])", name)
        if not match or int(match[1]) > lab.state["nr_hosts"]:
            raise LabError(f"no host '{name}': host1 to "
                           f"host{lab.state['nr_hosts']}")
        self.number = int(match[1])
        self.console_log = os.path.join(lab.dir, f"{name}.console")

    @property
    def state(self):
        """What is known of it, or an empty dict when it is off."""
        return self.lab.state["hosts"].get(self.name, {})

    def is_on(self):
        """Whether its QEMU runs."""
        return process.alive(self.state.get("qemu"))

    # ---- power ----------------------------------------------------------

    def _qemu_argv(self, port, cpu):
        state, number = self.lab.state, self.number
        xen_line = (f"dom0_mem={state['dom0_mib']}M,max:{state['dom0_mib']}M "
                    "com1=115200,8n1 console=com1 noreboot "
                    "loglvl=info guest_loglvl=info sched=credit2 spec-ctrl=no "
                    + state.get("xen_args", ""))
        linux_line = f"console=hvc0 quiet mitigations=off panic=1 lab.host={number}"
        control = ADDRESS + "128/25"
        argv = [
            "qemu-system-x86_64", "-name", f"{self.lab.name}-{self.name}",
            "-machine", "pc,accel=tcg", "-cpu", cpu,
            "-smp", str(state["vcpus"]), "-m", str(state["mib"]),
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", state["xen_path"], "-append", xen_line,
            "-initrd", f"{state['kernel']} {linux_line},{state['dom0']}",
            "-chardev", "socket,id=console,server=on,wait=off,path="
            f"{self.lab.run_path(self.name + '.console')},"
            f"logfile={self.console_log},logappend=on",
            "-serial", "chardev:console",
            "-qmp", "unix:" + self.lab.run_path(self.name + ".qmp")
            + ",server=on,wait=off",
            "-netdev", "stream,id=wire,server=off,addr.type=unix,addr.path="
            + self.lab.run_path(f"wire-{number}.sock"),
            "-device", "virtio-net-pci,netdev=wire,disable-legacy=on,"
            f"iommu_platform=on,romfile=,mac=52:54:00:a0:00:{number:02x}",
            "-netdev", f"user,id=control,restrict=on,net={control},"
            f"host={ADDRESS}130,hostfwd=tcp:127.0.0.1:{port}-{ADDRESS}143:22",
            "-device", "virtio-net-pci,netdev=control,disable-legacy=on,"
            f"iommu_platform=on,romfile=,mac=52:54:00:c0:00:{number:02x}",
        ]
        # Shared disks: one file seen by every host, as a SAN shows a LUN.
        for index, path in enumerate(state["disks"]):
            argv += ["-drive", f"file={path},format=raw,if=none,id=disk{index},"
                     "file.locking=off,cache=writeback",
                     "-device", f"virtio-blk-pci,drive=disk{index},"
                     "disable-legacy=on,iommu_platform=on,share-rw=on"]
        return argv

    def power_on(self, with_parent=False, cpu=CPU):
        """Starts the host; returns at once. Call wait_ready() next."""
        if self.is_on():
            raise LabError(f"{self.name} is on already")
        for suffix in (".console", ".qmp", ".ssh"):
            path = self.lab.run_path(self.name + suffix)
            if os.path.exists(path):
                os.unlink(path)
        with open(self.console_log, "ab") as log:
            log.write(b"\n---- power on ----\n")
        port = free_port()
        errors = os.path.join(self.lab.dir, f"{self.name}.qemu")
        with process.uninterrupted(), open(errors, "wb") as out:
            proc = process.spawn(self._qemu_argv(port, cpu), out, with_parent)
            self.lab.state["hosts"][self.name] = {
                "qemu": process.identity(proc.pid), "ssh_port": port}
            self.lab.save()

    def power_off(self):
        """Power loss: the emulator is killed, nothing is told beforehand."""
        ident = self.state.get("qemu")
        if ident:
            process.end(ident, grace_s=0)
        self.lab.state["hosts"].pop(self.name, None)
        self.lab.save()

    def console_end(self, nr_lines=25):
        """The last lines of the console, for a person."""
        with open(self.console_log, encoding="utf-8", errors="replace") as log:
            text = log.read().rpartition("---- power on ----")[2]
        lines = [line.rstrip() for line in text.split("\n") if line.strip()]
        return "\n".join("  | " + line for line in lines[-nr_lines:])

    def _connect_console(self, deadline):
        path = self.lab.run_path(self.name + ".console")
        while time.monotonic() < deadline:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(path)
                return sock
            except (FileNotFoundError, ConnectionRefusedError):
                sock.close()
            if not self.is_on():
                break
            time.sleep(0.05)  # QEMU tells nobody when its socket is there
        with open(os.path.join(self.lab.dir, f"{self.name}.qemu"),
                  encoding="utf-8", errors="replace") as errors:
            raise LabError(f"{self.name}: QEMU did not start:\n{errors.read()}")

    def wait_ready(self, limit_s=BOOT_LIMIT_S):
        """Waits until the Dom0 says it is ready; else says why not."""
        deadline = time.monotonic() + limit_s
        # What came before we connected is in the log, which we read first.
        sock = self._connect_console(deadline)
        with sock:
            while True:
                with open(self.console_log, "rb") as log:
                    text = log.read().rpartition(b"---- power on ----")[2]
                if b"lab: ready" in text:
                    break
                for bad in (b"lab: FAILED", b"Panic on CPU",
                            b"Kernel panic", b"FATAL"):
                    if bad in text:
                        time.sleep(0.3)  # let the console finish its lines
                        raise LabError(f"{self.name} did not boot:\n"
                                       + self.console_end())
                left = deadline - time.monotonic()
                if left <= 0:
                    raise LabError(f"{self.name} not ready after {limit_s} s; "
                                   "its console:\n" + self.console_end())
                ready = select.select([sock], [], [], min(left, 10))[0]
                if ready and not sock.recv(65536):
                    raise LabError(f"{self.name}: the emulator ended:\n"
                                   + self.console_end())

    # ---- commands in Dom0 -----------------------------------------------

    def ssh_argv(self, program="ssh"):
        """ssh or scp with all options; a shared connection per host."""
        if not self.is_on():
            raise LabError(f"{self.name} is off")
        port = str(self.state["ssh_port"])
        keys = self.lab.state["keys"]
        return [program, "-F", "/dev/null", "-i", keys["root"],
                "-o", f"UserKnownHostsFile={keys['known_hosts']}",
                "-o", "HostKeyAlias=lab", *SSH_OPTIONS,
                "-o", "ControlMaster=auto", "-o", "ControlPersist=600",
                "-o", "ControlPath=" + self.lab.run_path(self.name + ".ssh"),
                "-P" if program == "scp" else "-p", port]

    def sh(self, command, stdin=subprocess.DEVNULL, **kwargs):
        """Runs a shell command in Dom0; returns a CompletedProcess."""
        return subprocess.run([*self.ssh_argv(), "root@127.0.0.1", command],
                              stdin=stdin, check=False, **kwargs)

    def out(self, command, timeout_s=120):
        """The output of a command that must succeed."""
        try:
            done = self.sh(command, capture_output=True, text=True,
                           errors="replace", timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name}: no end after {timeout_s} s: "
                           f"{command}") from None
        if done.returncode != 0:
            raise LabError(f"{self.name}: exit status {done.returncode}: "
                           f"{command}\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout

    def copy(self, paths, target, from_host=False):
        """Copies files to (or from) the host."""
        remote = "root@127.0.0.1:"
        if from_host:
            argv = [*map(lambda p: remote + p, paths), target]
        else:
            argv = [*paths, remote + target]
        packages.run([*self.ssh_argv("scp"), "-q", "-r", *argv],
                     f"copying files ({self.name})")


def prepare(lab, xen_kind, say):
    """Makes what the hosts boot and notes it in the lab's state."""
    cache = lab.cache
    witness = os.path.join(os.path.dirname(os.path.dirname(cache)),
                           "bin/witness")
    if not os.path.exists(witness):
        raise LabError("build/bin/witness is not built: make lab-built")
    os.makedirs(cache, exist_ok=True)
    xen = hypervisor.get(xen_kind, cache, say)
    root = packages.debian_root(cache, say)
    keys = image.ssh_keys(cache)
    hosts = {f"host{n}": f"{ADDRESS}{n}" for n in range(1, 10)}
    guest = image.guest_image(root, LAB_DIR, witness, cache)
    dom0 = image.dom0_image(root, LAB_DIR, guest, witness, keys, hosts,
                            cache)
    known = os.path.join(cache, "known_hosts")
    with open(keys[0] + ".pub", encoding="ascii") as src, \
            open(known, "w", encoding="ascii") as out:
        out.write("lab " + src.read())
    kernel = os.path.join(root, "boot/vmlinuz-" + image.kernel_version(root))
    return {"xen_path": xen, "dom0": dom0, "kernel": kernel,
            "keys": {"root": keys[1], "known_hosts": known}}
