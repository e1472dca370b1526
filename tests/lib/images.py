# SPDX-License-Identifier: Apache-2.0
"""images - for the tests of images of containers: run the program, look at what it made, count what failed.  A test's
command line is MICROVM ARCH [TEST...]; ARCH is this machine's, as OCI calls it."""
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time

import oci
from oci import Layout, directory, hardlink, member, symlink, tar

MICROVM, ARCH = os.path.realpath(sys.argv[1]), sys.argv[2]
OTHER = "arm64" if ARCH == "amd64" else "amd64"
CACHE = "cache/microvm/images"
with open(MICROVM, "rb") as program:
    SANITIZED = b"san_init" in program.read()  # which takes terabytes of addresses, and traces processes
failed = 0
tests = []


def test(fn):
    tests.append(fn)
    return fn


def check(ok, what):
    global failed
    if not ok:
        failed += 1
        print(f"FAIL: {what}")


def run(*words, stdin=subprocess.DEVNULL, **env):
    """Return: status, stdout, stderr"""
    p = subprocess.run([MICROVM, *words], stdin=stdin, capture_output=True, timeout=50, check=False,
                       env=dict(os.environ, **env))
    return p.returncode, p.stdout.decode(), p.stderr.decode("utf-8", "replace")


def inspected(word):
    status, out, said = run("images", "inspect", "--json", word)
    check(status == 0, f"inspect {word}: {said}")
    return json.loads(out)[0] if status == 0 else {}


def imported(word, **env):
    """Import it.  Return: what inspect says"""
    status, _, said = run("images", "import", word, **env)
    check(status == 0, f"import {word}: {said}")
    return inspected(word)


def refused(word, *parts, status=None, **more):
    """It is refused by a sentence with these parts, and nothing is left"""
    is_, _, said = run("images", "import", word, **more)
    check(is_ in ((1, 2) if status is None else (status,)), f"{word}: status {is_}: {said}")
    for part in parts:
        check(part in said, f"{word}: '{part}' is not in: {said}")
    lines = [s for s in said.splitlines() if not s.startswith("Try ")]
    check(len(lines) == 1 and lines[0].startswith("microvm: "), f"{word}: not a sentence: {said}")
    left = [n for n in os.listdir(CACHE) if not n.endswith(".1") and not n.startswith("name-")]
    check(not left, f"{word}: left in the cache: {left}")


def root_of(word):
    return f"{CACHE}/{inspected(word)['digest'][7:]}.1/root"


def unsquash(word):
    """The tree of an image that is imported.  Return: its directory"""
    out = tempfile.mkdtemp(dir=".") + "/tree"
    p = subprocess.run(["unsquashfs", "-n", "-q", "-d", out, root_of(word)], capture_output=True, check=False)
    check(p.returncode == 0 or os.geteuid() != 0, f"unsquashfs {word}: {p.stderr}")
    return out


def tree(top):
    """{path: what can be told of it}"""
    top, out, first = os.fsencode(top), {}, {}
    for at, dirs, files in os.walk(top):
        for name in dirs + files + ([b"."] if at == top else []):
            path = os.path.join(at, name)
            short = os.path.relpath(path, top)
            s = os.lstat(path)
            what = dict(mode=s.st_mode, owner=(s.st_uid, s.st_gid))
            if stat.S_ISREG(s.st_mode):
                with open(path, "rb") as f:
                    data = f.read()
                what.update(size=len(data), data=oci.digest(data), names=s.st_nlink, time=int(s.st_mtime))
                what.update(same=first.setdefault(s.st_ino, short) if s.st_nlink > 1 else None)
            elif stat.S_ISLNK(s.st_mode):
                what.update(to=os.readlink(path))
            elif not stat.S_ISDIR(s.st_mode):
                what.update(dev=s.st_rdev)
            what.update(xattrs=sorted((k, os.getxattr(path, k, follow_symlinks=False))
                                      for k in os.listxattr(path, follow_symlinks=False)
                                      if k.startswith(("user.", "security.cap"))))
            out[short] = what
    return out


CAP = b"\x01\x00\x00\x02\x00\x04\x00\x00" + b"\0" * 12
BYTES = b"caf\xe9-\xff".decode("utf-8", "surrogateescape")


def whole(path="whole", pack=oci.packed, suffix="+gzip"):
    """An image with all that layers can do"""
    low = tar([directory("./"), directory("usr/lib"), symlink("lib", "usr/lib"), symlink("away", "/usr/lib"),
               directory("a"), member("a/x", b"lower"), member("a/y", b"lower y" * 50000), directory("b"), member("b/1", b"1"),
               directory("b/deep"), member("b/deep/2", b"2"), member("gone", b"still here"), hardlink("kept", "gone"),
               member("kind", b"file"), directory("was-dir"), member("was-dir/in", b"in"), member("twice", b"first"),
               member("twice", b"second"), directory("tmp", mode=0o1777), member("su", b"su", mode=0o4755, owner=(70000, 4000000000)),
               member("caps", b"cap", mode=0o755, xattrs={"security.capability": CAP, "user.note": b"n\0\xff"}),
               member("zeroes", b"\0" * 300000 + b"end"), member(BYTES, b"name"), member("n" * 255, b"long"),
               directory("/".join(["deep" * 20] * 12)), member("empty"), member("old", time=0),
               member("null", kind=tarfile.CHRTYPE, dev=(1, 3), mode=0o666), member("disk", kind=tarfile.BLKTYPE, dev=(259, 300)),
               member("fifo", kind=tarfile.FIFOTYPE)])
    high = tar([member(".wh.gone"), member("a/.wh.x"), member("b/3", b"3"), member("b/.wh..wh..opq"), member("lib/libc.so", b"lib"),
                member("away/other.so", b"other"), hardlink("linked", "a/y"), directory("kind", mode=0o700, owner=(5, 6)),
                member("was-dir", b"now a file"), directory("a", mode=0o711), member(".wh.not-there"), member("no/way/.wh.x")])
    config = dict(Entrypoint=["/bin/e", "x"], Cmd=["c"], Env=["A=b", "PATH=/bin"], User="7:8", WorkingDir="/w",
                  Volumes={"/data/v": {}}, ExposedPorts={"80/tcp": {}}, Labels={"l": "v=w", "\u00e9": "\u00fc"}, StopSignal="SIGQUIT")
    return Layout(path, [low, high], config, arch=ARCH, pack=pack, suffix=suffix)


def has_unsquashfs():
    if shutil.which("unsquashfs") and os.geteuid() == 0:
        return True
    print("SKIP: no unsquashfs, or not root")
    return False


def one(tar_, **more):
    """The image "bad", of one layer"""
    shutil.rmtree("bad", ignore_errors=True)
    return Layout("bad", [tar_], arch=ARCH, **more)


def path_of(layout, descriptor):
    return os.path.join(layout.path, "blobs/sha256", descriptor["digest"][7:])


def main():
    work = tempfile.mkdtemp(prefix="images.")
    os.chdir(work)
    os.umask(0o022)
    os.environ.update(XDG_CACHE_HOME=work + "/cache", LC_ALL="C.UTF-8")
    for name in ("MICROVM_CACHE", "TMPDIR"):
        os.environ.pop(name, None)
    try:
        whole()
        imported("oci:whole")
        for fn in tests:
            if len(sys.argv) > 3 and fn.__name__ not in sys.argv[3:]:
                continue
            before, start = failed, time.monotonic()
            fn()
            print(f"{'ok' if failed == before else 'not ok'} {fn.__name__} ({time.monotonic() - start:.1f} s)")
    finally:
        os.chdir("/")
        shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0
