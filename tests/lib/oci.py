# SPDX-License-Identifier: Apache-2.0
"""oci - images of containers, made by hand: what tools make, and what they refuse to make."""
import gzip
import hashlib
import io
import json
import os
import tarfile

LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
TIME = 1700000000


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def member(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o644, owner=(0, 0), xattrs=None, dev=(0, 0), time=TIME):
    """One entry of a layer: (header, bytes)"""
    m = tarfile.TarInfo(name)
    m.type, m.linkname, m.mode, m.size, m.mtime = kind, link, mode, len(data), time
    m.uid, m.gid = owner
    m.devmajor, m.devminor = dev
    # bytes of a value as surrogates: written as they are
    m.pax_headers = {"SCHILY.xattr." + k: v.decode("utf-8", "surrogateescape") for k, v in (xattrs or {}).items()}
    return m, data


def directory(name, mode=0o755, **more):
    return member(name, kind=tarfile.DIRTYPE, mode=mode, **more)


def symlink(name, to):
    return member(name, kind=tarfile.SYMTYPE, link=to, mode=0o777)


def hardlink(name, to):
    return member(name, kind=tarfile.LNKTYPE, link=to)


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as t:
        for m, data in members:
            t.addfile(m, io.BytesIO(data))
    return out.getvalue()


def packed(data):
    """The same bytes each time: by itself gzip writes down when"""
    return gzip.compress(data, mtime=0)


class Layout:
    """A layout of OCI in the directory @path, with one image of these tars"""

    def __init__(self, path, tars, config=None, tag="latest", arch="amd64", pack=packed, suffix="+gzip", more=None):
        self.path, self.tag = path, tag
        os.makedirs(os.path.join(path, "blobs/sha256"), exist_ok=True)
        self.config = {**dict(os="linux", architecture=arch, config=config or {},
                              rootfs=dict(type="layers", diff_ids=[digest(t) for t in tars])), **(more or {})}
        self.layers = [self.blob(pack(t), LAYER + suffix) for t in tars]
        self.write()

    def blob(self, data, kind):
        """Return: its descriptor"""
        name = digest(data)
        with open(os.path.join(self.path, "blobs/sha256", name[7:]), "wb") as f:
            f.write(data)
        return dict(mediaType=kind, digest=name, size=len(data))

    def json(self, value, kind):
        return self.blob(json.dumps(value).encode(), kind)

    def manifest(self):
        return self.json(dict(schemaVersion=2, mediaType=MANIFEST, config=self.json(self.config, CONFIG),
                              layers=self.layers), MANIFEST)

    def write(self, manifests=None):
        """index.json, with @manifests or the image alone"""
        if manifests is None:
            manifests = [dict(self.manifest(), annotations={"org.opencontainers.image.ref.name": self.tag})]
        with open(os.path.join(self.path, "oci-layout"), "w", encoding="utf-8") as f:
            f.write('{"imageLayoutVersion": "1.0.0"}')
        with open(os.path.join(self.path, "index.json"), "w", encoding="utf-8") as f:
            json.dump(dict(schemaVersion=2, mediaType=INDEX, manifests=manifests), f)


def archive(directory_, path):
    """A layout as a tar"""
    with tarfile.open(path, "w") as t:
        for name in sorted(os.listdir(directory_)):
            t.add(os.path.join(directory_, name), name)


def docker(path, tars, config=None, tags=("name:tag",), arch="amd64"):
    """What docker save writes, manifest.json last"""
    text = json.dumps(dict(os="linux", architecture=arch, config=config or {},
                           rootfs=dict(type="layers", diff_ids=[digest(t) for t in tars]))).encode()
    name = digest(text)[7:] + ".json"
    parts = [(f"{i:064d}/layer.tar", t) for i, t in enumerate(tars)] + [(name, text)]
    listing = [dict(Config=name, RepoTags=list(tags), Layers=[p for p, _ in parts[:-1]])]
    with tarfile.open(path, "w") as t:
        for p, data in parts + [("manifest.json", json.dumps(listing).encode())]:
            m = tarfile.TarInfo(p)
            m.size = len(data)
            t.addfile(m, io.BytesIO(data))
