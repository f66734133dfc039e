# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hypervisor that a host boots, as an ELF file for multiboot.

stock   Debian's own binary; no shadow paging, so PV guests cannot be
        live-migrated (log-dirty fails with EOPNOTSUPP)
shadow  built from Debian's source package with CONFIG_SHADOW_PAGING
paging  the same with memory paging too
"""

import glob
import gzip
import os
import shutil
import tempfile

from . import LabError, packages

KINDS = {
    "stock": None,
    "shadow": ["CONFIG_SHADOW_PAGING=y"],
    "paging": ["CONFIG_UNSUPPORTED=y", "CONFIG_SHADOW_PAGING=y",
               "CONFIG_MEM_PAGING=y"],
}
ELF_MAGIC = b"\x7fELF"


def get(kind, cache, say):
    """Returns the path of the hypervisor's ELF, building it if need be."""
    if kind not in KINDS:
        raise LabError(f"no hypervisor '{kind}': one of {', '.join(KINDS)}")
    path = os.path.join(cache, f"xen-{kind}.elf")
    with packages.Lock(os.path.join(cache, f"xen-{kind}.lock")):
        stamp = path + ".sha256"
        if os.path.exists(path) and os.path.exists(stamp):
            with open(stamp, encoding="utf-8") as known:
                if known.read() == packages.file_digest([path]):
                    return path
            say(f"the cached {kind} hypervisor is damaged: made anew")
        if KINDS[kind] is None:
            _unpack_stock(cache, path, say)
        else:
            _build(kind, cache, path, say)
        with open(stamp, "w", encoding="utf-8") as out:
            out.write(packages.file_digest([path]))
    return path


def _install(source, path):
    with open(source, "rb") as src:
        data = src.read()
    if data[:4] != ELF_MAGIC:
        data = gzip.decompress(data)
    if data[:4] != ELF_MAGIC:
        raise LabError(f"{source} is not a hypervisor")
    with open(path + ".new", "wb") as out:
        out.write(data)
    os.rename(path + ".new", path)


def _unpack_stock(cache, path, say):
    root = packages.debian_root(cache, say)
    found = glob.glob(os.path.join(root, "boot/xen-4.17-amd64.gz"))
    if not found:
        raise LabError("the hypervisor package has no boot/xen-4.17-amd64.gz")
    _install(found[0], path)


def _build(kind, cache, path, say):
    with packages.Lock(os.path.join(cache, "xen-source.lock")):
        source = packages.xen_source(cache, say)
    work = tempfile.mkdtemp(prefix=f"xen-{kind}.", dir=cache)
    log = os.path.join(cache, f"xen-{kind}.log")
    say(f"building the {kind} hypervisor (one to two minutes)")
    try:
        tree = os.path.join(work, "xen")
        shutil.copytree(source, tree, symlinks=True)
        make = ["make", "-s", "-C", os.path.join(tree, "xen")]
        # A make above us must not hand its flags down.
        env = {k: v for k, v in os.environ.items()
               if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD", "V",
                            "CFLAGS", "LDFLAGS", "CC", "CI")}
        env["PYTHON"] = "/usr/bin/python3"
        packages.run(make + ["defconfig"], "configuring Xen", env=env)
        config = os.path.join(tree, "xen/.config")
        wanted = KINDS[kind]
        keys = tuple(line.split("=")[0] for line in wanted)
        with open(config, encoding="utf-8") as src:
            lines = [line for line in src if not any(
                line.startswith((key + "=", f"# {key} is")) for key in keys)]
        with open(config, "w", encoding="utf-8") as out:
            out.writelines(lines + [line + "\n" for line in wanted])
        packages.run(make + ["olddefconfig"], "configuring Xen", env=env)
        with open(config, encoding="utf-8") as src:
            text = src.read()
        for line in wanted:
            if line not in text.split("\n"):
                raise LabError(f"this Xen cannot be configured with {line}")
        packages.run(make + [f"-j{os.cpu_count() or 1}", "xen"],
                     f"building Xen (log in {log})", log=log, env=env)
        _install(os.path.join(tree, "xen/xen"), path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
