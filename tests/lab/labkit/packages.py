# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian packages for the lab: downloaded, verified and unpacked.

Everything goes below one cache folder; the machine's own package system is
only read: its sources say where packages come from, its keys verify them.
apt runs on a private state with an empty list of installed packages, so that
it resolves the whole closure, C library included.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from . import LabError

DOM0_PACKAGES = [
    "xen-utils-4.17", "xen-hypervisor-4.17-amd64", "xenstore-utils",
    "qemu-system-xen", "linux-image-amd64", "busybox-static", "bash",
    "iproute2", "openssh-server", "openssh-client", "util-linux",
]
XEN_SOURCE = "xen"


def run(argv, what, log=None, **kwargs):
    """Runs a command to its end; a failure is a LabError with its last words."""
    proc = subprocess.run(argv, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False, **kwargs)
    if log:
        with open(log, "w", encoding="utf-8") as out:
            out.write(proc.stdout)
    if proc.returncode != 0:
        tail = "\n  ".join(proc.stdout.strip().split("\n")[-12:])
        raise LabError(f"{what} failed:\n  {tail}")
    return proc.stdout


class Lock:
    """Holds an exclusive lock on a file: one builder at a time."""

    def __init__(self, path):
        self.path = path
        self.file = None

    def __enter__(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.file = open(self.path, "w", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_):
        self.file.close()


def digest(*parts):
    """A short stable name for what something was made from."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(str(part).encode() + b"\0")
    return sha.hexdigest()[:16]


def file_digest(paths):
    """The digest of some files' contents."""
    sha = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as data:
            sha.update(os.path.basename(path).encode() + b"\0" + data.read())
    return sha.hexdigest()[:16]


class Apt:
    """apt-get on a state of our own below `cache`/apt."""

    def __init__(self, cache):
        self.dir = os.path.join(cache, "apt")
        self.debs = os.path.join(cache, "debs")
        for sub in ("state/lists/partial", "cache/archives/partial", "sources"):
            os.makedirs(os.path.join(self.dir, sub), exist_ok=True)
        os.makedirs(os.path.join(self.debs, "partial"), exist_ok=True)
        with open(os.path.join(self.dir, "status"), "w", encoding="utf-8"):
            pass
        self._write_sources()

    def _write_sources(self):
        """The machine's Debian sources, with source packages enabled."""
        found = 0
        for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
            with open(path, encoding="utf-8") as src:
                text = src.read()
            if not re.search(r"^Suites:.*\bbookworm", text, re.M):
                continue
            text = re.sub(r"^Types:.*$", "Types: deb deb-src", text, flags=re.M)
            name = os.path.join(self.dir, "sources", os.path.basename(path))
            with open(name, "w", encoding="utf-8") as out:
                out.write(text)
            found += 1
        lines = []
        for path in ["/etc/apt/sources.list",
                     *glob.glob("/etc/apt/sources.list.d/*.list")]:
            if not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as src:
                for line in src:
                    words = re.match(r"^deb\s+(.*\bbookworm.*)$", line.strip())
                    if words:
                        lines += [f"deb {words[1]}", f"deb-src {words[1]}"]
        if lines:
            name = os.path.join(self.dir, "sources", "machine.list")
            with open(name, "w", encoding="utf-8") as out:
                out.write("\n".join(lines) + "\n")
            found += 1
        if not found:
            raise LabError("no Debian 12 (bookworm) package source is "
                           "configured on this machine")

    def get(self, *words, cwd=None, archives=None):
        """Runs apt-get with the private state."""
        options = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": os.path.join(self.dir, "sources"),
            "Dir::State": os.path.join(self.dir, "state"),
            "Dir::State::status": os.path.join(self.dir, "status"),
            "Dir::Cache": os.path.join(self.dir, "cache"),
            "Dir::Cache::archives": archives or self.debs,
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Sandbox::User": "root",
            "APT::Keep-Downloaded-Packages": "true",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "DPkg::Post-Invoke": "",
            "APT::Update::Post-Invoke": "",
        }
        argv = ["apt-get", "-q", "-y"]
        for key, value in options.items():
            argv += ["-o", f"{key}={value}"]
        return run(argv + list(words), f"apt-get {words[0]}", cwd=cwd,
                   env=dict(os.environ, LC_ALL="C"))

    def update(self):
        """Fetches the lists; apt verifies them by Debian's keys."""
        self.get("update")

    def closure(self, packages):
        """The file names of the packages and all they depend on."""
        # apt lists only what its archives lack: show it empty ones.
        empty = os.path.join(self.dir, "cache/archives")
        out = self.get("install", "--no-install-recommends", "--print-uris",
                       *packages, archives=empty)
        names = re.findall(r"^'[^']*' (\S+\.deb) \d+", out, re.M)
        if not names:
            raise LabError("apt-get found nothing to download")
        return sorted(names)

    def download(self, packages):
        """Brings the closure below debs/; apt verifies every file's hash."""
        self.get("install", "--no-install-recommends", "--download-only",
                 *packages)


def debian_root(cache, say):
    """The folder in which the packages of a Dom0 lie unpacked."""
    with Lock(os.path.join(cache, "lock")):
        stamp = os.path.join(cache, "debroot.stamp")
        root = os.path.join(cache, "debroot")
        want = digest("1", *DOM0_PACKAGES)
        if os.path.isdir(root) and os.path.exists(stamp):
            with open(stamp, encoding="utf-8") as old:
                if old.read() == want:
                    return root
        say("downloading Debian packages for the hosts")
        apt = Apt(cache)
        apt.update()
        names = apt.closure(DOM0_PACKAGES)
        apt.download(DOM0_PACKAGES)
        say(f"unpacking {len(names)} packages")
        work = tempfile.mkdtemp(prefix="debroot.", dir=cache)
        try:
            for name in names:
                _unpack(os.path.join(apt.debs, name), work)
            shutil.rmtree(root, ignore_errors=True)
            os.rename(work, root)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        with open(stamp, "w", encoding="utf-8") as out:
            out.write(want)
        return root


def _unpack(path, into):
    run(["dpkg-deb", "-x", path, into], f"unpacking {os.path.basename(path)}")


def xen_source(cache, say):
    """Xen's Debian source package, unpacked; returns its folder.

    The newest version may be missing from the mirror (a security update's
    source is published late or elsewhere): then the next older one serves.
    """
    root = os.path.join(cache, "xen-source")
    if os.path.isdir(root):
        return root
    say("downloading the Xen source package")
    apt = Apt(cache)
    apt.update()
    versions = _source_versions(apt)
    work = tempfile.mkdtemp(prefix="xen-source.", dir=cache)
    try:
        last = None
        for version in versions:
            try:
                apt.get("source", "--download-only", f"{XEN_SOURCE}={version}",
                        cwd=work)
                break
            except LabError as error:
                last = error
        else:
            raise last or LabError("no source package of Xen to be had")
        dsc = glob.glob(os.path.join(work, "*.dsc"))
        run(["dpkg-source", "--no-check", "-x", dsc[0],
             os.path.join(work, "xen")], "unpacking the Xen source package")
        os.rename(os.path.join(work, "xen"), root)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return root


def _source_versions(apt):
    out = apt.get("source", "--print-uris", "--only-source", XEN_SOURCE)
    newest = re.findall(r"_([^_/']+)\.dsc", out)
    listed = []
    for path in glob.glob(os.path.join(apt.dir, "state/lists/*_Sources*")):
        text = run(["/usr/lib/apt/apt-helper", "cat-file", path],
                   "reading the list of sources")
        block = re.search(r"^Package: xen\n(?:.+\n)*", text, re.M)
        if block:
            listed += re.findall(r"^Version: (\S+)", block.group(0), re.M)
    versions = [v for v in dict.fromkeys(newest[:1] + listed) if "4.17" in v]
    return versions or listed
