# SPDX-License-Identifier: Apache-2.0
"""Each fault of docs/reliability.md, on a real colony: see tests/failures.py."""

import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import failures  # noqa: E402

SCRIPT = pathlib.Path(failures.__file__)


def needs_plain_build(fault):
    if fault in ("clock", "memory") and ("asan" in failures.conftest.BINARY or
                                         "tsan" in failures.conftest.BINARY):
        pytest.skip("a sanitizer wants to be loaded first, and all of the address space")


@pytest.mark.parametrize("fault", failures.FAULTS)
def test_a_fault_ends_no_process_and_loses_nothing_untold(fault):
    needs_plain_build(fault)
    result = subprocess.run([sys.executable, SCRIPT, "--only", fault, "--times", "2"], check=False,
                            capture_output=True, text=True, timeout=300)
    if result.returncode == failures.SKIPPED:
        pytest.skip(result.stderr)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_document_has_a_row_of_each_fault():
    table = failures.DOCUMENT.read_text().split(failures.BEGIN)[1].split(failures.END)[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) == len(failures.FAULTS)
    assert all(line.count(" | ") == len(failures.COLUMNS) - 1 for line in rows)
