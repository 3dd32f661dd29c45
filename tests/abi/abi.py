#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The interface of libcolony as lines: what programs that were built of colony.h hold it to.

`abi.py INCLUDE` prints them, for machines of 64 bits. Functions are those that the header declares, with
the types of their arguments but not their names; structs and values are measured by a program made of the header.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

HEADER = """\
# What programs that are linked with libcolony.so.0 hold it to: tests/integration/test_abi.py compares. Lines may come;
# one that goes or changes breaks them, and takes another number behind .so. `make abi` writes this file anew.
"""


def run(*command):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout


def declarations(include, folder):
    """The header without comments, and without those that it includes; each on one line."""
    (folder / "a.c").write_text("#include <colony.h>\n")
    text, is_ours = "", False
    for line in run("cc", "-std=c11", f"-I{include}", "-E", folder / "a.c").splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        if marker:
            is_ours = marker[1].startswith(str(include))
        elif is_ours:
            text += line + " "
    return re.sub(r"\s+", " ", text)


def functions(include, folder):
    """Name to prototype."""
    (folder / "a.c").write_text("#include <colony.h>\n")
    run("gcc", "-std=c11", f"-I{include}", "-fsyntax-only", "-aux-info", folder / "aux", folder / "a.c")
    found = {}
    for line in (folder / "aux").read_text().splitlines():
        at = re.match(r"/\* (\S+?):\d+:\S+ \*/ extern (.*);$", line)
        if at and at[1].startswith(str(include)):
            found[re.search(r"(colony_\w+) \(", at[2])[1]] = at[2]
    return found


def members(body):
    """The members of a struct, each with its declaration: `int a, *b; char c[8]; void (*d)(int);`."""
    for declaration in filter(None, (part.strip() for part in body.split(";"))):
        callback = re.search(r"\(\* ?(\w+)\)", declaration)
        for part in [declaration] if callback else declaration.split(","):
            yield callback[1] if callback else re.search(r"(\w+)\s*(\[[^]]*\])*$", part)[1], declaration


def measured(text, include, folder):
    """Lines of structs and enumerators, as a compiler has them."""
    structs = re.findall(r"struct (\w+) \{ ([^{}]*)\}", text)
    assert len(structs) == len(re.findall(r"(?:struct|union)[\w ]*\{", text)), "a struct in a struct: teach this script"
    source = "#include <colony.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n"
    for name, body in structs:
        source += f'printf("struct {name} %zu\\n", sizeof(struct {name}));\n'
        for member, declaration in members(body):
            source += f'printf("member {name}.{member} at %zu, %zu: {declaration}\\n", ' \
                      f"offsetof(struct {name}, {member}), sizeof(((struct {name} *)0)->{member}));\n"
    for body in re.findall(r"enum \w* ?\{ ([^{}]*)\}", text):
        for name in re.findall(r"(\w+)(?: = [^,]*)?(?:,|$)", body.strip()):
            source += f'printf("value {name} = %lld\\n", (long long){name});\n'
    (folder / "b.c").write_text(source + "return 0;\n}\n")
    run("cc", "-std=c11", f"-I{include}", "-o", folder / "b", folder / "b.c")
    return run(folder / "b").splitlines()


def macros(include, folder):
    (folder / "a.c").write_text("#include <colony.h>\n")
    text = run("cc", "-std=c11", f"-I{include}", "-E", "-dM", folder / "a.c")
    return [f"macro {name} {value}" for name, value in re.findall(r"^#define (COLONY_\w+) (\S.*)$", text, re.M)
            if name != "COLONY_API"]


def interface(include):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        text = declarations(include, folder)
        typedefs = [f"typedef {name}" for name in re.findall(r"typedef ([^;]*);", text)]
        return sorted(macros(include, folder)) + sorted(typedefs) + \
            [f"function {prototype}" for _, prototype in sorted(functions(include, folder).items())] + \
            measured(text, include, folder)


if __name__ == "__main__":
    sys.stdout.write(HEADER + "".join(f"{line}\n" for line in interface(pathlib.Path(sys.argv[1]))))
