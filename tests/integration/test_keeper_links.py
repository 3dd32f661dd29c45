# SPDX-License-Identifier: Apache-2.0
"""The keeper is libc only (DESIGN §2): its objects refer to libc and to each other, no further."""

import ctypes.util
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("COLONY", ROOT / "build" / "colony")).parent
# What a compiler may add by itself: hardening, position independence.
COMPILERS = {"_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}


def keeper_objects():
    """The KEEPER list of the Makefile, as objects."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    names = re.search(r"^KEEPER\s*:=\s*(.*)$", text, re.MULTILINE).group(1).split()
    return {name: BUILD / "src" / "core" / f"{name}.o" for name in names}


def symbols(path, *options):
    """Names that nm gives, without a symbol's version (`open@@GLIBC_2.2.5`)."""
    out = subprocess.run(
        ["nm", *options, str(path)], check=True, capture_output=True, text=True
    ).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines() if line.strip()}


def libc_symbols():
    found = set()
    for library in ("c", "pthread"):
        name = ctypes.util.find_library(library)
        if not name:
            continue  # newer libcs have pthread in libc itself
        maps = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
        for path in re.findall(rf"^\s*{re.escape(name)} .*=> (\S+)$", maps, re.MULTILINE):
            found |= symbols(path, "--dynamic", "--defined-only")
    return found


@pytest.fixture(scope="module", name="objects")
def objects_fixture():
    objects = keeper_objects()
    missing = [str(path) for path in objects.values() if not path.exists()]
    assert not missing, f"not built, or not named as in the Makefile: {missing}"
    if any("__asan_init" in symbols(path, "--undefined-only") for path in objects.values()):
        pytest.skip("sanitizers bring symbols of their own")
    return objects


def test_the_keeper_refers_to_libc_and_to_itself_only(objects):
    own = set().union(*(symbols(path, "--defined-only", "--extern-only") for path in objects.values()))
    libc = libc_symbols()
    assert "sigprocmask" in libc, "libc's symbols could not be read"
    strangers = {
        name: sorted(symbols(path, "--undefined-only") - own - libc - COMPILERS)
        for name, path in objects.items()
    }
    assert not {name: list for name, list in strangers.items() if list}


def test_every_part_of_the_keeper_is_in_the_list(objects):
    sources = {path.stem for path in (ROOT / "src" / "core").glob("keeper*.c")}
    assert sources <= set(objects)
