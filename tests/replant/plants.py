# SPDX-License-Identifier: Apache-2.0
"""plants - what `run` plants, and the sources that it is planted into"""
import os
import re

SOURCES = ("vmm", "devices", "boot", "guest-images/agent")


class Unfit(Exception):
    """A plant that cannot be used, and why"""


class Plant:
    """One file of plants/: its edits (function, lines), and its tests (kind, name)"""

    KINDS = ("unit", "asan", "tsan", "payload", "hostile", "program")

    def __init__(self, path):
        self.name = os.path.basename(path)
        self.edits, self.tests = [], []
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f.read().splitlines(), 1):
                self._line(line, f"line {number}")
        if not self.edits or not self.tests:
            raise Unfit("it names no function, or no test")

    def _line(self, line, where):
        key, _, value = line.partition(":")
        if line.startswith("#") or not line.strip():
            return
        if key == "in":
            self.edits.append((value.strip(), []))
        elif key == "noticed-by":
            kind, _, name = value.strip().partition(" ")
            if kind not in self.KINDS:
                raise Unfit(f"{where}: no kind of test '{kind}'")
            self.tests.append((kind, name))
        elif line[0] in " -+\t" and self.edits:
            self.edits[-1][1].append((line[0].replace("\t", " "), line[1:]))
        else:
            raise Unfit(f"{where} is none of: #, in:, noticed-by:, ' ', -, +")


class Tree:
    """The program's sources, and where each function of theirs is"""

    def __init__(self, top):
        self.text = {}
        for room in SOURCES:
            for folder, _, names in os.walk(os.path.join(top, room)):
                for name in sorted(names):
                    if name.endswith(".c"):
                        path = os.path.join(folder, name)
                        with open(path, encoding="utf-8") as f:
                            self.text[os.path.relpath(path, top)] = f.read().splitlines()

    def bodies(self, function):
        """[(file, first line, line after the last)] of the definitions of @function"""
        start = re.compile(r"^[A-Za-z_].*\b" + re.escape(function) + r"\(")
        found = []
        for path, lines in self.text.items():
            for i, line in enumerate(lines):
                if not start.match(line):
                    continue
                end = next((j for j in range(i, len(lines)) if lines[j] in ("}", "};")), i)
                head = "\n".join(lines[i:end])
                if ";" not in head.split("{")[0] and "{" in head:
                    found.append((path, i, end + 1))
        return found

    def apply(self, plant):
        """Return: {file: new text} with all edits of @plant"""
        changed = {}
        for function, edit in plant.edits:
            old = [" ".join(text.split()) for kind, text in edit if kind != "+"]
            places = []
            for path, first, last in self.bodies(function):
                lines = changed.get(path, self.text[path])
                flat = [" ".join(line.split()) for line in lines[first:last]]
                places += [(path, first + i) for i in range(len(flat) - len(old) + 1)
                           if flat[i:i + len(old)] == old]
            if not old or len(places) != 1:
                raise Unfit(f"it no longer applies: {function}() has its lines "
                            f"{len(places)} times" if self.bodies(function) else
                            f"it no longer applies: there is no function {function}()")
            path, at = places[0]
            if path in changed:
                raise Unfit(f"two edits in {path}: make them one")
            lines, new = self.text[path], []
            for kind, text in edit:
                if kind == " ":
                    new.append(lines[at])
                elif kind == "+":
                    new.append(text)
                at += kind != "+"
            start = places[0][1]
            changed[path] = lines[:start] + new + lines[at:]
        return changed
