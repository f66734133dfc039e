# SPDX-License-Identifier: LGPL-2.1-or-later
"""The workloads under which guests are moved (tests/lab/witness/spec.h)."""

import os

COMMON = "size=16M,verify=1M,tick=5"
WORKLOADS = {
    "idle": f"idle,{COMMON}",
    "seq": f"seq,{COMMON},rate=1M",
    "uniform": f"uniform,{COMMON},rate=1M",
    "zipf": f"zipf,{COMMON},rate=1M",
    "hot": f"hot,{COMMON},rate=2M",
    "balloon": f"balloon,{COMMON},rate=512K,period=3000",
}
# Half of its 16 MiB come and go, and its driver leaves up to one undone.
BALLOONS_MIB = {"balloon": 9}


def chosen(variable, names):
    """The names that the environment chooses, or all."""
    return os.environ.get(variable, " ".join(names)).split()
