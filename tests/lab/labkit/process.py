# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes that outlive the command that started them, ended by their pid.

A pid alone could by now belong to somebody else, so it is kept together with
the process's start time and checked before a signal is sent.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
ENDING = {signal.SIGINT, signal.SIGTERM}


def start_time(pid):
    """When a process started, in ticks since boot; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def identity(pid):
    """What to keep so as to know the process again."""
    return {"pid": pid, "start": start_time(pid)}


def alive(ident):
    """Whether the very process still runs."""
    return bool(ident) and ident["start"] is not None and \
        start_time(ident["pid"]) == ident["start"]


def end(ident, grace_s=5):
    """Ends the process: TERM, then KILL; returns when it is gone."""
    for sig, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10)):
        if not alive(ident):
            return
        try:
            fd = os.pidfd_open(ident["pid"])
        except ProcessLookupError:
            return
        try:
            signal.pidfd_send_signal(fd, sig)
            select.select([fd], [], [], wait_s)
        except ProcessLookupError:
            pass
        finally:
            os.close(fd)
        try:
            os.waitpid(ident["pid"], os.WNOHANG)  # if it is a child of ours
        except ChildProcessError:
            pass


@contextlib.contextmanager
def uninterrupted():
    """Ctrl-C and a plain kill wait until the body is done: what it starts is
    noted, too, so that it can be ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def spawn(argv, stdout, with_parent, **kwargs):
    """Starts a process in a session of its own, so that Ctrl-C passes it by.

    with_parent: the kernel ends it when this process dies, however it dies.
    """
    def prepare():
        if with_parent:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # as it expects

    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout,
                            stderr=subprocess.STDOUT, start_new_session=True,
                            preexec_fn=prepare, **kwargs)
