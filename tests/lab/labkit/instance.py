# SPDX-License-Identifier: LGPL-2.1-or-later
"""One lab: its folder, its names and ports, and what it consists of.

build/lab/cache/        shared by all labs: packages, hypervisors, images
build/lab/NAME/         one lab: state.json, consoles, shared disks
RUN (below /tmp)        its unix sockets, whose paths must be short
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile

from . import LabError

LAB_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ADDRESS = "192.0.2."
NR_SHARED_DISKS = 4
SHARED_DISK_MIB = 64


def build_dir():
    """Where everything that is made goes; $BUILD, else the tree's build/."""
    tree = os.path.dirname(os.path.dirname(LAB_DIR))
    return os.path.abspath(os.environ.get("BUILD") or
                           os.path.join(tree, "build"))


class Instance:
    """The state of one lab, kept in its folder between commands."""

    def __init__(self, name):
        if not name.isidentifier():
            raise LabError(f"'{name}' is no name for a lab: letters, digits, _")
        self.name = name
        # Downloads and builds outlive `make check-asan` and the like.
        self.cache = os.path.join(build_dir(), "lab", "cache")
        self.dir = os.path.join(build_dir(), "lab", name)
        self.path = os.path.join(self.dir, "state.json")
        self.state = None

    @staticmethod
    def names():
        """All labs that have a state."""
        base = os.path.join(build_dir(), "lab")
        return sorted(name for name in (os.listdir(base)
                                        if os.path.isdir(base) else [])
                      if os.path.exists(os.path.join(base, name,
                                                     "state.json")))

    @contextlib.contextmanager
    def locked(self):
        """Holds the lab for a change of its state."""
        os.makedirs(self.dir, exist_ok=True)
        with open(os.path.join(self.dir, "lock"), "w",
                  encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self):
        """Reads the state; None when the lab is down."""
        if not os.path.exists(self.path):
            self.state = None
            return None
        with open(self.path, encoding="utf-8") as src:
            self.state = json.load(src)
        return self.state

    def need(self):
        """Reads the state of a lab that must be up."""
        if not self.load():
            raise LabError(f"lab '{self.name}' is not up (tests/lab/lab up)")
        return self.state

    def save(self):
        """Writes the state, whole or not at all."""
        with open(self.path + ".new", "w", encoding="utf-8") as out:
            json.dump(self.state, out, indent=1)
        os.rename(self.path + ".new", self.path)

    def create(self, **settings):
        """Begins a lab's state."""
        os.makedirs(self.dir, exist_ok=True)
        run = tempfile.mkdtemp(prefix="xmlab-")
        self.state = dict(settings, name=self.name, run=run, hosts={},
                          guests={}, disks=[])
        for number in range(NR_SHARED_DISKS):
            path = os.path.join(self.dir, f"disk{number}.img")
            with open(path, "wb") as disk:
                disk.truncate(SHARED_DISK_MIB << 20)
            self.state["disks"].append(path)
        self.save()

    def forget(self):
        """Removes the state; consoles stay for whoever looks into a failure."""
        if self.state:
            shutil.rmtree(self.state["run"], ignore_errors=True)
            for path in self.state["disks"]:
                with contextlib.suppress(OSError):
                    os.unlink(path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.state = None

    def run_path(self, name):
        """A path for a socket."""
        return os.path.join(self.state["run"], name)
