# SPDX-License-Identifier: Apache-2.0
"""The library is in programs with threads and allocators of their own: it calls nothing whose answer is in a buffer
that they share, or that changes what is the whole process's, and has text from cJSON in one place."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
OBJECTS = pathlib.Path(os.environ.get("COLONY", ROOT / "build" / "colony")).parent / "src"
ONE_BUFFER = {"asctime", "ctime", "getgrent", "getgrgid", "getgrnam", "gethostbyname", "getlogin", "getprotobyname",
              "getpwent", "getpwnam", "getpwuid", "getservbyname", "gmtime", "inet_ntoa", "localtime", "ptsname",
              "strtok", "tmpnam", "ttyname"}
WHOLE_PROCESS = {"chdir", "fchdir", "putenv", "setenv", "setlocale", "srand", "umask"}
PRINTED = {"cJSON_Print", "cJSON_PrintUnformatted"}  # for cJSON_free() only: colony_json_print() is for all others
PRINTERS = {"core/json_print.o", "lib/rpc_daemon.o"}  # the second frees it so itself
# A process that is made a daemon, or that was forked for a command.
OF_THEIR_OWN = {"lib/daemonize.o", "session/launch_child.o"}


def calls():
    objects = sorted(OBJECTS.glob("*/*.o"))
    assert objects
    said = subprocess.run(["nm", "--print-file-name", "--undefined-only", *objects], check=True, capture_output=True,
                          text=True).stdout
    return [("/".join(pathlib.Path(path).parts[-2:]), kind.split()[-1].split("@")[0])
            for path, kind in (line.rsplit(":", 1) for line in said.splitlines() if line)]


def test_threads_of_the_program_are_left_alone():
    assert not [call for call in calls() if call[1] in ONE_BUFFER]
    assert not [call for call in calls() if call[1] in WHOLE_PROCESS and call[0] not in OF_THEIR_OWN]


def test_what_cjson_prints_is_freed_by_cjson():
    assert not [call for call in calls() if call[1] in PRINTED and call[0] not in PRINTERS]
