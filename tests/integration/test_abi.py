# SPDX-License-Identifier: Apache-2.0
"""libcolony as programs see it: its header, its names, what it promised before, and linking with it."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from conftest import BINARY

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(BINARY).parent
SHARED, STATIC = BUILD / "libcolony.so.0", BUILD / "libcolony.a"
RECORD = ROOT / "tests/abi/libcolony.symbols"
sys.path.insert(0, str(ROOT / "tests/abi"))
import abi  # pylint: disable=wrong-import-position

PROGRAM = """
#include <colony.h>
#include <stdio.h>
int main(void)
{
    struct colony_places places = {.config = "/no/such", .messages = "/no/such"};
    struct colony_error err = {0};
    int rc = colony_files_restart_all(&places, &err);

    printf("%s %d %s\\n", colony_version(), rc < 0 && rc == err.code, err.message);
    return 0;
}
"""


def run(*command, **more):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **more)


def names(path, *flags):
    """What nm has of a file, without versions: those of the loader itself stand for no address."""
    told = run("nm", *flags, path)
    assert told.returncode == 0, told.stderr
    fields = [line.split() for line in told.stdout.splitlines() if line and not line.endswith(":")]
    return {field[-1].partition("@")[0] for field in fields if field[-2] != "A"}


def declared():
    if "Free Software Foundation" not in run("gcc", "--version").stdout:
        pytest.skip("needs gcc, which says what a header declares")
    return [line for line in abi.interface(ROOT / "include")]


def test_the_interface_is_what_was_recorded():
    if sys.maxsize < 1 << 32:
        pytest.skip("sizes are recorded for machines of 64 bits")
    was = [line for line in RECORD.read_text().splitlines() if not line.startswith("#")]
    now = declared()
    told = [f"gone or changed: {line}" for line in was if line not in now] + \
        [f"new: {line}" for line in now if line not in was]
    assert not told, "\n".join([
        "the interface of libcolony is not the recorded one:", *told,
        "If this is meant, `make abi` records it. Something gone or changed breaks programs that were built before: "
        "once released it takes libcolony.so.1."])


@pytest.mark.parametrize("compiler", [
    ["gcc", "-std=c11", "-Wstrict-prototypes"], ["g++", "-std=c++17"],
    ["clang", "-std=c11", "-Weverything", "-Wno-unknown-warning-option", "-Wno-declaration-after-statement"],
    ["clang++", "-std=c++17"]], ids=lambda compiler: compiler[0])
@pytest.mark.parametrize("header", ["colony.h", "colony/error.h"])
def test_the_header_is_enough_by_itself(compiler, header, tmp_path):
    if not shutil.which(compiler[0]):
        pytest.skip(f"needs {compiler[0]}")
    name = tmp_path / ("alone.cc" if "++" in compiler[0] else "alone.c")
    name.write_text(f"#include <{header}>\n#include <{header}>\n")
    told = run(*compiler, "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "include", "-fsyntax-only",
               name)
    assert (told.returncode, told.stderr) == (0, "")


def programs():
    """Those of the guide, of README and of the manual page."""
    for path, pattern in ((ROOT / "docs/embedding.md", r"^```c\n(.*?)^```"), (ROOT / "README.md", r"^```c\n(.*?)^```"),
                          (ROOT / "packaging/man/libcolony.3.scd", r"^# EXAMPLES\n\n```\n(.*?)^```")):
        for number, text in enumerate(re.findall(pattern, path.read_text(), re.S | re.M), 1):
            yield pytest.param(text.replace("\\\\", "\\") if path.suffix == ".scd" else text, id=f"{path.name}:{number}")


@pytest.mark.parametrize("text", programs())
def test_the_programs_of_the_documentation_can_be_built(text, tmp_path):
    (tmp_path / "program.c").write_text(text)
    options = run("pkg-config", "--cflags", "libuv", "libcjson").stdout.split()
    told = run("cc", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "include", *options, "-fsyntax-only",
               tmp_path / "program.c")
    assert (told.returncode, told.stderr) == (0, "")


def test_what_is_declared_is_exported_and_nothing_else():
    exported = names(SHARED, "-D", "--defined-only")
    functions = {line.partition(" (")[0].split()[-1].lstrip("*") for line in declared() if line.startswith("function")}
    assert functions - exported == set(), "declared, but nowhere to be found"
    assert exported - functions == set(), "exported, but in no header"


def test_each_name_has_the_version_of_the_library():
    told = run("nm", "-D", "--defined-only", "--with-symbol-versions", SHARED).stdout.splitlines()
    assert {line.rpartition("@@")[2] for line in told if " A " not in line} == {"LIBCOLONY_0"}
    assert "[libcolony.so.0]" in run("readelf", "-d", SHARED).stdout


def test_neither_library_lacks_or_shows_anything_of_its_own():
    assert {name for name in names(SHARED, "-D", "--undefined-only") if name.startswith("colony")} == set()
    assert {name for name in names(STATIC, "--undefined-only") if name.startswith("colony")} == set()
    shown = names(STATIC, "--extern-only", "--defined-only")
    assert {name for name in shown if not name.startswith("colony_")} == set()
    assert shown == names(SHARED, "-D", "--defined-only")


@pytest.fixture(scope="module", name="installed")
def installed_fixture(tmp_path_factory):
    """What `make install` lays down, and pkg-config's words for it."""
    if "__asan_init" in names(SHARED, "-D", "--undefined-only") | names(SHARED, "-D", "--defined-only"):
        pytest.skip("a library under a sanitizer is for programs under it")
    root = tmp_path_factory.mktemp("installed")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = run("make", "-s", "-C", ROOT, "install-library", f"BUILD={BUILD}", f"DESTDIR={root}", env=env, timeout=600)
    assert made.returncode == 0, made.stderr
    return root / "usr/local"


def flags(installed, *options):
    told = run("pkg-config", "--define-prefix", *options, "colony",
               env={**os.environ, "PKG_CONFIG_PATH": str(installed / "lib/pkgconfig")})
    assert told.returncode == 0, told.stderr
    return shlex.split(told.stdout)


@pytest.mark.parametrize("how", ["shared", "static"])
def test_a_program_is_linked_by_what_pkg_config_says_and_runs(installed, how, tmp_path):
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM)
    link = flags(installed, "--cflags", "--libs") if how == "shared" else \
        ["-Wl,--as-needed", f"-L{installed}/lib", "-l:libcolony.a", *flags(installed, "--static", "--cflags", "--libs")]
    built = run("cc", "-o", program, source, *link)
    assert built.returncode == 0, built.stderr
    needed = run("readelf", "-d", program).stdout
    assert ("[libcolony.so.0]" in needed) == (how == "shared")
    ran = run(program, env={**os.environ, "LD_LIBRARY_PATH": str(installed / "lib") if how == "shared" else ""})
    version = (ROOT / "VERSION").read_text().strip()
    assert (ran.returncode, ran.stdout) == (0, f"{version} 1 cannot open the folder /no/such: there is none\n")


def test_a_program_in_cpp_is_linked_too(installed, tmp_path):
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    source, program = tmp_path / "program.cc", tmp_path / "program"
    source.write_text("#include <colony.h>\nint main() { return colony_version()[0] == '\\0'; }\n")
    built = run("g++", "-o", program, source, *flags(installed, "--cflags", "--libs"))
    assert built.returncode == 0, built.stderr
    assert run(program, env={**os.environ, "LD_LIBRARY_PATH": str(installed / "lib")}).returncode == 0
