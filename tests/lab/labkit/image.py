# SPDX-License-Identifier: LGPL-2.1-or-later
"""The initramfs of a host's Dom0, and the one of its guests.

A Dom0 is about 80 MB: busybox, bash, ssh, the Xen tools, xenstored,
xenconsoled and Xen's QEMU, each with the libraries it links, and the kernel
modules it loads. All hosts boot the same image: who a host is comes from its
kernel command line. The guests' kernel and initramfs lie inside, in /boot.
"""

import glob
import os
import re
import stat
import subprocess

from . import LabError, packages

MERGED = ("bin", "sbin", "lib", "lib64")
LIBRARY_DIRS = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu",
                "usr/lib/x86_64-linux-gnu/pulseaudio", "usr/lib", "lib64")

DOM0_PROGRAMS = [
    "bin/bash", "bin/ip", "sbin/bridge", "usr/bin/flock", "usr/bin/ssh",
    "usr/bin/scp", "usr/bin/ssh-keygen", "usr/sbin/sshd",
    "usr/lib/openssh/sftp-server", "usr/libexec/xen-qemu-system-i386",
]
XEN_BIN = "usr/lib/xen-4.17/bin"
XEN_PROGRAMS = ["xl", "libxl-save-helper", "xenstored", "xenconsoled",
                "xen-init-dom0", "xenconsole", "xen-hvmctx", "xenctx",
                "xen-mfndump", "xenpaging", "lsevtchn", "xenstore-control"]
XENSTORE_TOOLS = ["xenstore-read", "xenstore-write", "xenstore-list",
                  "xenstore-ls", "xenstore-rm", "xenstore-exists",
                  "xenstore-chmod", "xenstore-watch"]
DOM0_FILES = [
    "usr/lib/xen-4.17/boot/hvmloader",
    "usr/share/seabios/bios-256k.bin", "usr/share/seabios/bios.bin",
    "usr/share/seabios/vgabios-cirrus.bin",
    "usr/share/seabios/vgabios-stdvga.bin", "usr/share/qemu/linuxboot.bin",
    "usr/share/qemu/linuxboot_dma.bin", "usr/share/qemu/kvmvapic.bin",
    "usr/lib/ipxe/qemu/efi-rtl8139.rom", "usr/lib/ipxe/qemu/pxe-rtl8139.rom",
]
DOM0_FOLDERS = ["etc/xen/scripts", "usr/share/qemu/keymaps"]
DOM0_MODULES = ["xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd",
                "xenfs", "xen-netback", "xen-blkback", "bridge", "loop",
                "virtio_pci", "virtio_net", "virtio_blk", "tun", "dummy",
                "crc32c_generic", "ext4"]
GUEST_MODULES = ["xen-blkfront", "xen-netfront"]


class Tree:
    """What goes into an initramfs: path -> (mode, data, rdev)."""

    def __init__(self):
        self.entries = {}
        for name in ("usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"):
            self.folder(name)
        for name in MERGED:
            self.link(name, "usr/" + name, merged=False)
        self.entries["dev"] = (stat.S_IFDIR | 0o755, b"", (0, 0))
        self.entries["dev/console"] = (stat.S_IFCHR | 0o600, b"", (5, 1))

    @staticmethod
    def merged(path):
        """The path with /bin, /sbin and /lib folded into /usr."""
        head, _, _ = path.partition("/")
        return "usr/" + path if head in MERGED else path

    def folder(self, path, mode=0o755):
        """Adds a folder and those above it."""
        path = self.merged(path)
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.folder(parent)
        self.entries.setdefault(path, (stat.S_IFDIR | mode, b"", (0, 0)))

    def file(self, path, data, mode=0o644):
        """Adds a file with the given contents."""
        path = self.merged(path)
        self.folder(os.path.dirname(path))
        data = data.encode() if isinstance(data, str) else data
        self.entries[path] = (stat.S_IFREG | mode, data, (0, 0))

    def link(self, path, target, merged=True):
        """Adds a symbolic link."""
        path = self.merged(path) if merged else path
        if os.path.dirname(path):
            self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode(), (0, 0))

    def write(self, out):
        """Writes the tree as a cpio archive of the 'newc' kind."""
        def entry(inode, path, mode, data, rdev):
            name = path.encode() + b"\0"
            fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0],
                      rdev[1], len(name), 0)
            head = b"070701" + b"".join(b"%08X" % field for field in fields)
            out.write(head + name + b"\0" * (-(len(head) + len(name)) % 4))
            out.write(data + b"\0" * (-len(data) % 4))

        for inode, path in enumerate(sorted(self.entries), 1):
            entry(inode, path, *self.entries[path])
        entry(0, "TRAILER!!!", 0, b"", (0, 0))


class Source:
    """Takes files out of an unpacked Debian root, with what they link."""

    def __init__(self, root):
        self.root = root
        self.done = set()

    def find(self, path):
        """The real file behind a path of the root."""
        full = os.path.join(self.root, path)
        for _ in range(10):
            if not os.path.islink(full):
                break
            target = os.readlink(full)
            base = self.root if target.startswith("/") else \
                os.path.dirname(full)
            full = os.path.normpath(os.path.join(base, target.lstrip("/")))
        if not os.path.exists(full):
            raise LabError(f"the Debian packages hold no {path}")
        return full

    def copy(self, tree, path, mode=None):
        """Copies one file."""
        full = self.find(path)
        with open(full, "rb") as src:
            tree.file(path, src.read(), mode or
                      stat.S_IMODE(os.stat(full).st_mode))

    def copy_folder(self, tree, path):
        """Copies a folder and all below it."""
        top = os.path.join(self.root, path)
        for base, _, names in os.walk(top):
            for name in names:
                full = os.path.join(base, name)
                inner = os.path.relpath(full, self.root)
                if os.path.islink(full):
                    tree.link(inner, os.readlink(full))
                else:
                    self.copy(tree, inner)

    def needed(self, full):
        """The libraries that an ELF file names."""
        out = subprocess.run(["readelf", "-d", full], text=True, check=False,
                             capture_output=True).stdout
        return re.findall(r"\(NEEDED\).*\[(.*)\]", out)

    def program(self, tree, path):
        """Copies a program or library with the libraries it links."""
        if path in self.done:
            return
        self.done.add(path)
        self.copy(tree, path)
        for name in self.needed(self.find(path)):
            for folder in LIBRARY_DIRS:
                inner = os.path.join(folder, name)
                if os.path.lexists(os.path.join(self.root, inner)):
                    self.program(tree, inner)
                    break
            else:
                raise LabError(f"no library {name} for {path}")


def kernel_version(root):
    """The version of the one kernel in the root."""
    found = glob.glob(os.path.join(root, "boot/vmlinuz-*"))
    if len(found) != 1:
        raise LabError(f"{len(found)} kernels in the Debian packages, not one")
    return os.path.basename(found[0])[len("vmlinuz-"):]


def modules(tree, root, wanted):
    """Adds kernel modules with what they depend on, and their order."""
    base = os.path.join(root, "lib/modules", kernel_version(root))
    paths = {}
    for path in glob.glob(os.path.join(base, "**/*.ko"), recursive=True):
        paths[os.path.basename(path)[:-3].replace("-", "_")] = path
    order = []

    def add(name):
        name = name.replace("-", "_")
        if name in order:
            return
        if name not in paths:
            raise LabError(f"the kernel package has no module {name}")
        with open(paths[name], "rb") as src:
            data = src.read()
        found = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in (found[1].decode().split(",") if found else []):
            if other:
                add(other)
        order.append(name)
        tree.file(f"lib/modules/{name}.ko", data)

    for name in wanted:
        add(name)
    tree.file("lib/modules/list",
              "".join(f"/lib/modules/{name}.ko\n" for name in order))


def busybox(tree, source):
    """Adds busybox and a link for each of its applets."""
    source.copy(tree, "bin/busybox", 0o755)
    out = subprocess.run([source.find("bin/busybox"), "--list"], text=True,
                         capture_output=True, check=True).stdout
    for applet in out.split():
        path = Tree.merged("bin/" + applet)
        if path not in tree.entries:
            tree.link(path, "busybox")


def _save(tree, path):
    with open(path + ".new", "wb") as out:
        tree.write(out)
    os.rename(path + ".new", path)


def _cached(path, want, make):
    """Makes the image at path unless it was made from the same things."""
    stamp = path + ".stamp"
    with packages.Lock(path + ".lock"):
        if os.path.exists(path) and os.path.exists(stamp):
            with open(stamp, encoding="utf-8") as old:
                if old.read() == want:
                    return path
        make()
        with open(stamp, "w", encoding="utf-8") as out:
            out.write(want)
    return path


def guest_image(root, lab_dir, witness, out_dir):
    """The guests' initramfs: busybox, the witness, its init, two drivers."""
    init = os.path.join(lab_dir, "witness/init")
    path = os.path.join(out_dir, "guest.cpio")

    def make():
        tree, source = Tree(), Source(root)
        busybox(tree, source)
        modules(tree, root, GUEST_MODULES)
        with open(init, "rb") as src:
            tree.file("init", src.read(), 0o755)
        with open(witness, "rb") as src:
            tree.file("witness", src.read(), 0o755)
        for name in ("proc", "sys", "tmp", "run", "etc"):
            tree.folder(name)
        _save(tree, path)

    want = packages.digest(kernel_version(root),
                           packages.file_digest([init, witness, __file__]))
    return _cached(path, want, make)


def ssh_keys(out_dir):
    """Makes the lab's keys once: one for the hosts, one for root."""
    for name in ("host_key", "root_key"):
        path = os.path.join(out_dir, name)
        if not os.path.exists(path):
            packages.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C",
                          "xl-migrate-lab", "-f", path], "making an ssh key")
    return (os.path.join(out_dir, "host_key"),
            os.path.join(out_dir, "root_key"))


def _add_ssh(tree, keys, hosts):
    host_key, root_key = keys

    def read(path):
        with open(path, "rb") as src:
            return src.read()

    tree.file("etc/ssh/host_key", read(host_key), 0o600)
    tree.file("root/.ssh/id_ed25519", read(root_key), 0o600)
    tree.file("root/.ssh/authorized_keys", read(root_key + ".pub"), 0o600)
    kind, key = read(host_key + ".pub").decode().split()[:2]
    tree.file("root/.ssh/known_hosts", f"{','.join(hosts)} {kind} {key}\n")
    tree.folder("root", 0o700)


def dom0_image(root, lab_dir, guest, witness, keys, hosts, out_dir):
    """The initramfs of every host's Dom0. hosts: name -> address."""
    own = sorted(glob.glob(os.path.join(lab_dir, "dom0/**/*"), recursive=True))
    own = [path for path in own if os.path.isfile(path)]
    path = os.path.join(out_dir, "dom0.cpio")

    def make():
        tree, source = Tree(), Source(root)
        for name in DOM0_PROGRAMS + [f"{XEN_BIN}/{p}" for p in XEN_PROGRAMS]:
            source.program(tree, name)
        for name in XENSTORE_TOOLS:
            source.program(tree, "usr/bin/" + name)
        source.program(tree, "lib64/ld-linux-x86-64.so.2")
        source.program(tree, "lib/x86_64-linux-gnu/libgcc_s.so.1")
        for name in XEN_PROGRAMS:
            tree.link("usr/sbin/" + name, f"/{XEN_BIN}/{name}")
        for name in DOM0_FILES:
            source.copy(tree, name)
        for name in DOM0_FOLDERS:
            source.copy_folder(tree, name)
        modules(tree, root, DOM0_MODULES)
        version = kernel_version(root)
        source.copy(tree, f"boot/vmlinuz-{version}")
        tree.link("boot/vmlinuz", f"vmlinuz-{version}")
        for full, inner, mode in ((guest, "boot/guest.cpio", 0o644),
                                  (witness, "usr/bin/witness", 0o755)):
            with open(full, "rb") as src:
                tree.file(inner, src.read(), mode)
        _add_ssh(tree, keys, hosts)
        tree.file("etc/hosts", "127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for name, address in hosts.items()))
        for name in ("proc", "sys", "tmp", "run", "var/log/xen/console",
                     "var/lib/xen", "var/log/xen/xl-migrate", "mnt"):
            tree.folder(name)
        tree.link("var/run", "/run")
        tree.link("var/lock", "/run/lock")
        for full in own:
            with open(full, "rb") as src:
                tree.file(os.path.relpath(full, os.path.join(lab_dir, "dom0")),
                          src.read(), stat.S_IMODE(os.stat(full).st_mode))
        busybox(tree, source)
        _save(tree, path)

    want = packages.digest(kernel_version(root), str(hosts),
                           packages.file_digest([guest, witness, *own, *keys,
                                                 __file__]))
    return _cached(path, want, make)
