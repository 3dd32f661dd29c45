# SPDX-License-Identifier: Apache-2.0
"""The library is in programs with threads of their own: it calls nothing whose answer is in a buffer that they
share, or that changes what is the whole process's."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
OBJECTS = pathlib.Path(os.environ.get("COLONY", ROOT / "build" / "colony")).parent / "src"
ONE_BUFFER = {"asctime", "ctime", "getgrent", "getgrgid", "getgrnam", "gethostbyname", "getlogin", "getprotobyname",
              "getpwent", "getpwnam", "getpwuid", "getservbyname", "gmtime", "inet_ntoa", "localtime", "ptsname",
              "strtok", "tmpnam", "ttyname"}
WHOLE_PROCESS = {"chdir", "fchdir", "putenv", "setenv", "setlocale", "srand", "umask"}
# A process that is made a daemon, or that was forked for a command.
OF_THEIR_OWN = {"lib/daemonize.o", "session/launch_child.o"}


def refused(path):
    return ONE_BUFFER if "/".join(path.parts[-2:]) in OF_THEIR_OWN else ONE_BUFFER | WHOLE_PROCESS


def test_threads_of_the_program_are_left_alone():
    objects = sorted(OBJECTS.glob("*/*.o"))
    assert objects
    said = subprocess.run(["nm", "--print-file-name", "--undefined-only", *objects], check=True, capture_output=True,
                          text=True).stdout
    calls = [(pathlib.Path(path), kind.split()[-1].split("@")[0])
             for path, kind in (line.rsplit(":", 1) for line in said.splitlines() if line)]
    assert not [f"{path}: {name}" for path, name in calls if name in refused(path)]
