# SPDX-License-Identifier: Apache-2.0
"""The reference pages: made from the tables, whole, and true where that can be tried."""

import itertools
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import BINARY
from pki import Pki

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(BINARY).parent
DOCS = ROOT / "docs"
MAN = sorted((ROOT / "packaging" / "man").glob("*.scd"))

needs_scdoc = pytest.mark.skipif(not shutil.which("scdoc"), reason="no scdoc here")


def run(*command, **more):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, **more)


def generate(form, source):
    made = run(BUILD / "docs" / "generate", form, source)
    assert (made.returncode, made.stderr) == (0, "")
    return made.stdout


def generate_text(tmp_path, text, form="markdown"):
    source = tmp_path / "source"
    source.write_text(text)
    return generate(form, source)


def terms(table):
    """What stands in backticks in the first column of a table in Markdown."""
    return re.findall(r"^\| `([^`]+)` \|", table, re.M)


# What is made from the tables


def test_what_is_committed_is_what_make_docs_makes():
    made = generate("markdown", DOCS / "configuration.in.md")
    assert made == (DOCS / "configuration.md").read_text(), "run make docs, and commit the result"
    assert made == generate("markdown", DOCS / "configuration.in.md")


@pytest.mark.parametrize("page,form", [(DOCS / "configuration.in.md", "markdown"),
                                       (ROOT / "packaging/man/colony.yaml.5.scd", "scdoc")])
def test_every_setting_is_in_the_reference(page, form, tmp_path):
    tables = generate_text(tmp_path, "@tables@\n").split()
    assert {"processes", "processes.restart", "processes.depends_on", "http"} <= set(tables)
    asked = re.findall(r"^@settings (\S+)@$", page.read_text(), re.M)
    assert sorted(asked) == sorted(tables)
    made = generate(form, page)
    for table in tables:
        names = terms(generate_text(tmp_path, f"@settings {table}@\n"))
        assert names
        for name in names:
            assert (f"| `{name}` |" if form == "markdown" else f"*{name.replace('_', chr(92) + '_')}* (") \
                in made, f"{name} of {table}"


def test_every_section_is_explained(tmp_path):
    made = generate("markdown", DOCS / "configuration.in.md")
    headings = " ".join(re.findall(r"^#+ (.*)$", made, re.M))
    for section in terms(generate_text(tmp_path, "@sections@\n")):
        assert section in headings or f"`{section}:`" in made, section


@pytest.mark.parametrize("line", ["@settings proceses@", "@settings processes.cmd@", "@nothing@",
                                  "@options srve@", "@settings@", "@exits now@", "@actions@",
                                  "@actions ctl@"])
def test_a_line_that_asks_for_no_table_is_an_error_with_its_place(line, tmp_path):
    source = tmp_path / "page.in.md"
    source.write_text(f"# Title\n\n{line}\n")
    made = run(BUILD / "docs" / "generate", "markdown", source)
    assert made.returncode == 1
    assert made.stderr == f"generate: {source}:3: cannot use this line: no table is called so\n"


def test_the_generator_says_how_it_is_used_and_what_it_cannot_read(tmp_path):
    for arguments in ([], ["html", "x"], ["markdown"], ["markdown", "a", "b"]):
        told = run(BUILD / "docs" / "generate", *arguments)
        assert (told.returncode, told.stderr) == (2, "usage: generate markdown|scdoc SOURCE\n")
    for path in (tmp_path / "none", tmp_path):
        told = run(BUILD / "docs" / "generate", "markdown", path)
        assert told.returncode == 1 and len(told.stderr.splitlines()) == 1


# What they say is so


def examples():
    for page in sorted(DOCS.glob("*.md")):
        if page.name.endswith(".in.md"):
            continue
        blocks = re.findall(r"^```(yaml|ini)\n(.*?)^```$", page.read_text(), re.M | re.S)
        for number, (kind, text) in enumerate(blocks, 1):
            yield pytest.param(kind, text, id=f"{page.stem}-{number}")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What the examples have in /etc/colony."""
    folder = tmp_path_factory.mktemp("place")
    pki = Pki(folder)
    (folder / "tls").mkdir()
    for name, source in {"cert.pem": pki.pem("server"), "key.pem": pki.key("server"),
                         "inner.pem": pki.pem("server"), "inner.key": pki.key("server"),
                         "clients.pem": pki.pem("ca")}.items():
        shutil.copy(source, folder / "tls" / name)
    for name, text in {"tokens": f"all control {'t' * 32}\n", "webhook.secret": "s" * 32}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder


@pytest.mark.parametrize("kind,text", examples())
def test_each_example_passes_colony_check(kind, text, tmp_path, place):
    for name in ("shop.ini", "worker.env"):  # what the examples include
        (tmp_path / name).write_text("")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / f"example.{kind}").write_text(text.replace("/etc/colony/", f"{place}/"))
    told = run(BINARY, "check", f"example.{kind}", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in MAN])
def test_examples_of_man_pages_pass_colony_check(page, tmp_path):
    for block in re.findall(r"^```\n(processes:\n.*?)^```$", page.read_text(), re.M | re.S):
        (tmp_path / "example.yaml").write_text(block)
        told = run(BINARY, "check", "example.yaml", cwd=tmp_path)
        assert (told.returncode, told.stderr) == (0, "")


def test_settings_that_change_without_a_restart_are_those_of_the_reload_chapter(tmp_path):
    live = re.findall(r"`(\w+)`", generate_text(tmp_path, "@live@\n"))
    assert "numprocesses" in live and "cmd" not in live
    assert set(live) < set(terms(generate_text(tmp_path, "@settings processes@\n")))


def test_links_lead_somewhere():
    for page in [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            other = page.parent / path if path else page
            assert other.exists(), f"{page.name}: {target}"
            if anchor:
                titles = re.findall(r"^#+ (.*)$", other.read_text(), re.M)
                anchors = {re.sub(r"[^\w\- ]", "", t).lower().replace(" ", "-") for t in titles}
                assert anchor in anchors, f"{page.name}: {target}"


# The control API

METHODS = "GET|HEAD|POST|PUT|DELETE"


def rows_of(text):
    return [row.split("` |", 1)[0] + "`" if "` |" in row else row
            for row in text.splitlines() if row.startswith("| `")]


def documented():
    """(METHOD, PATH) of each request that http-api.md tells of, in its tables or between them.

    `_stop` after `POST /processes/NAME/_start` is another end of the same path, `/x` the same
    method with another path, and "`PUT` or `POST /x`" both methods.
    """
    text = re.sub(r"^( {4}|```).*$", "", (DOCS / "http-api.md").read_text(), flags=re.M)
    found, methods, base = set(), [], ""
    cells = [row.split(" | ", 1)[0] for row in text.splitlines() if row.startswith("| ")]
    for cell in cells:
        methods, waiting, base = [], [], ""
        for span in re.findall(r"`([^`]+)`", cell):
            asked = re.fullmatch(rf"({METHODS})(?: (/\S*))?", span)
            if asked and not asked[2]:
                waiting.append(asked[1])
                continue
            if asked:
                methods, path = [*waiting, asked[1]], asked[2]
                waiting = []
            elif span.startswith("/"):
                path = span
            elif span.startswith("_"):
                path = base + span
            else:
                break
            path = path.split("?", 1)[0]
            base = path.split("/_", 1)[0] + "/"
            found |= {(method, path) for method in methods}
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("|"))
    found |= set(re.findall(rf"`({METHODS}) (/[^`?\s]*)[^`]*`", prose))
    return found


def is_variable(part):
    return bool(re.fullmatch(r"[A-Z_]*[A-Z]", part))


def is_same(path, pattern):
    """Upper-case parts stand for something else, whatever they are called."""
    pairs = list(itertools.zip_longest(path.split("/"), pattern.split("/"), fillvalue=""))
    return all(left == right or (is_variable(left) and is_variable(right)) for left, right in pairs)


def routes(tmp_path):
    for term in terms(generate_text(tmp_path, "@routes@\n")):
        methods, pattern = re.fullmatch(r"([A-Z, ]+) (/.*)", term).groups()
        for method in methods.split(", "):
            yield method, pattern


def test_every_route_is_documented_and_every_documented_one_is_there(tmp_path):
    there, told = set(routes(tmp_path)), documented()
    assert ("POST", "/processes/NAME/_start") in there
    missing = {route for route in there
               if not any(route[0] == m and is_same(route[1], path) for m, path in told)}
    wrong = {one for one in told if one[0] != "HEAD"
             and not any(one[0] == m and is_same(one[1], pattern) for m, pattern in there)}
    assert (missing, wrong) == (set(), set())


# The command line and man pages


def exit_codes(tmp_path):
    return dict(re.findall(r"^\| `(\d+)` \| (.*) \|$", generate_text(tmp_path, "@exits@\n"), re.M))


def test_help_tells_the_exit_codes_of_the_table(tmp_path):
    codes = exit_codes(tmp_path)
    assert codes["0"] == "ok" and codes["78"] == "bad configuration"
    for command in ([], ["ctl"]):
        told = run(BINARY, *command, "--help").stdout
        text = " ".join(re.search(r"exit codes:(.*?)\n\n", told, re.S)[1].split())
        assert text == ", ".join(f"{code} {meaning}" for code, meaning in codes.items())
        assert max(map(len, told.split("exit codes:")[1].split("\n\n")[0].splitlines())) <= 80


def render(page, tmp_path):
    """What `make docs` makes of a page, as text and as a file."""
    source = generate("scdoc", page)
    made = run("scdoc", input=source)
    assert (made.returncode, made.stderr) == (0, ""), page
    (tmp_path / page.stem).write_text(made.stdout)
    return made.stdout


@needs_scdoc
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in MAN])
def test_man_pages_render(page, tmp_path):
    roff = render(page, tmp_path)
    assert roff == render(page, tmp_path)
    name, section = page.stem.rsplit(".", 1)
    assert re.search(rf'^\.TH "{re.escape(name)}" "{section}"', roff, re.M)
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "FILES", "EXAMPLES", "SEE ALSO"):
        assert f".SH {heading}\n" in roff or (heading == "EXAMPLES" and name == "colony-ctl")
    assert not re.search(r"^@", roff, re.M)


@needs_scdoc
@pytest.mark.skipif(not shutil.which("man") or not shutil.which("groff"), reason="no man here")
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in MAN])
@pytest.mark.parametrize("locale,encoding,device", [("C.UTF-8", "UTF-8", "utf8"), ("C", "ASCII", "ascii")])
def test_man_finds_nothing_to_warn_of(page, locale, encoding, device, tmp_path):
    render(page, tmp_path)
    told = run("man", "--warnings", "-E", encoding, "-l", f"-T{device}", "-Z", tmp_path / page.stem,
               env={**os.environ, "LC_ALL": locale, "MANWIDTH": "80"})
    assert (told.returncode, told.stderr) == (0, "")


@needs_scdoc
@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc here")
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in MAN])
def test_mandoc_finds_nothing_to_complain_about(page, tmp_path):
    render(page, tmp_path)
    told = run("mandoc", "-T", "lint", "-W", "warning", tmp_path / page.stem).stdout
    # scdoc writes paragraphs that are empty, which is harmless
    assert [line for line in told.splitlines() if "PP empty" not in line
            and "PP after SH" not in line and "PP after SS" not in line] == []


def names_in(told, heading):
    """What the first column of a list of --help has: names of actions or commands."""
    part = re.search(rf"^{heading}:\n(.*?)(?:\n\n|\Z)", told, re.S | re.M)
    return re.findall(r"^  (\w+)", part[1], re.M) if part else []


def options_in(told):
    part = told.split("\nexamples:\n")[0].partition("\noptions:\n")[2]
    return set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", part, re.M))


def command_pages():
    """(COMMAND, the source of its page) for each page that is a command's."""
    commands = names_in(run(BINARY, "--help").stdout, "commands")
    for page in MAN:
        name = page.stem.rsplit(".", 1)[0].partition("-")[2]
        if page.stem.endswith(".1") and name:
            assert name in commands, f"{page.name} is of no command"
            yield pytest.param(name, page, id=name)


def helps_of(command):
    """--help of a command, and of each of its actions by name."""
    told = run(BINARY, command, "--help").stdout
    return told, {action: run(BINARY, command, action, "--help").stdout
                  for action in names_in(told, "actions")}


def test_each_command_has_a_page_of_its_own_which_that_of_colony_names():
    commands = set(names_in(run(BINARY, "--help").stdout, "commands"))
    assert commands == {page.id for page in command_pages()}
    named = (ROOT / "packaging/man/colony.1.scd").read_text().partition("# SEE ALSO")[2]
    assert commands == set(re.findall(r"\*colony-([a-z]+)\*\(1\)", named))


@pytest.mark.parametrize("command,page", command_pages())
def test_a_page_has_all_of_its_command_and_nothing_else(command, page):
    text = generate("scdoc", page).replace("\\", "")
    told, actions = helps_of(command)
    offered = options_in(told).union(*map(options_in, actions.values()))
    offered |= set().union(*map(options_in, file_actions().values())) if command == "ctl" else set()
    terms_there = re.findall(r"^\t*\*(?:-\w, )?(--[a-z-]+)\*", text, re.M)
    assert set(terms_there) | {"--help"} == offered | {"--help"}
    listed = re.search(r"^# ACTIONS\n(.*?)^# ", text, re.S | re.M)
    assert re.findall(r"^\*(\w+)\*(?: _.*_)?\n\t", listed[1] if listed else "", re.M) == \
        list(actions)


def file_actions():
    """--help of each action of `colony ctl` on ncolony's folders."""
    both = ["ctl", "--messages", "/m", "--config", "/c"]
    return {action: run(BINARY, *both, action, "--help").stdout for action in
            re.findall(r"^  ([\w-]+)", run(BINARY, *both, "help").stdout.split("actions:\n")[1]
                       .split("\n\n")[0], re.M)}


def test_the_page_of_ctl_has_ncolonys_actions():
    text = generate("scdoc", ROOT / "packaging/man/colony-ctl.1.scd").replace("\\", "")
    part = re.search(r"^# ACTIONS ON FOLDERS\n(.*?)^# ", text, re.S | re.M)[1]
    assert re.findall(r"^\*([\w-]+)\*(?: _.*_)?\n\t", part, re.M) == list(file_actions())
    for action, told in file_actions().items():
        own = re.split(r"^\*[\w-]+\*", part.split(f"\n*{action}*", 1)[1], flags=re.M)[0]
        for option in options_in(told) - {"--help"}:
            assert f"{option}*" in own, f"{action} {option}"


@pytest.mark.parametrize("command,page", command_pages())
def test_a_page_has_the_options_and_examples_of_each_action(command, page):
    text = generate("scdoc", page).replace("\\", "")
    _, actions = helps_of(command)
    for action, told in actions.items():
        begin = re.search(rf"^\*{action}\*(?: _.*_)?\n\t", text, re.M)
        assert begin, action
        own = re.split(r"^\*\w+\*(?: _.*_)?\n\t|^# ", text[begin.end():], flags=re.M)[0]
        common = text.partition("# OPTIONS\n")[2].partition("# ACTIONS\n")[0]
        for option in options_in(told) - {"--help"}:
            assert f"{option}*" in own + common, f"{action} {option}"
        for line in told.partition("\nexamples:\n")[2].splitlines():
            assert line.strip() in own, f"{action}: {line}"


def test_the_page_of_top_has_every_key():
    source = (ROOT / "cli" / "top_keys.c").read_text()
    keys = set(re.findall(r"(?:^ +\{|\{KEY_\w+, |key == )'([^\\ 'yY])'", source, re.M))
    assert {"s", "q", "+"} <= keys
    page = (ROOT / "packaging/man/colony-top.1.scd").read_text().split("# KEYS")[1]
    assert {key for key in keys if f"*{key}*" not in page} == set()


def make(*arguments):
    """Make as whoever runs this test has called it, but without its jobs."""
    env = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
    flags = [word for word in env.pop("MAKEFLAGS", "").split(" -- ")[-1].split()
             if "=" in word and not word.startswith(("P=", "T=", "-"))]
    return run("make", "-s", "-C", ROOT, *flags, f"BUILD={BUILD}", *arguments, env=env, umask=0o077)


@needs_scdoc
def test_make_install_installs_man_pages(tmp_path):
    made = make(f"DESTDIR={tmp_path}/to", "install")
    assert made.returncode == 0, made.stderr
    local = tmp_path / "to/usr/local"
    installed = {str(path.relative_to(local)) for path in local.rglob("*") if path.is_file()}
    assert {"bin/colony", "share/man/man1/colony.1", "share/man/man1/colony-ctl.1",
            "share/man/man1/colony-serve.1", "share/man/man1/colony-app.1",
            "share/man/man1/colony-top.1", "share/man/man5/colony.yaml.5"} <= installed
    assert [path for path in (tmp_path / "to").rglob("*") if path.stat().st_mode & 0o044 != 0o044] == []


def test_what_names_the_prefix_is_made_again_for_another(tmp_path):
    for prefix in ("/usr", "/opt/colony", "/opt/colony"):
        made = make(f"BUILD={tmp_path}", f"prefix={prefix}", f"{tmp_path}/src/core/paths.o")
        assert made.returncode == 0, made.stderr
        assert f"{prefix}/bin/colony".encode() in (tmp_path / "src/core/paths.o").read_bytes()


def test_make_install_works_without_scdoc(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in reversed(os.environ["PATH"].split(os.pathsep)):
        for tool in pathlib.Path(folder).glob("*"):
            if tool.name != "scdoc" and not (tools / tool.name).is_symlink():
                (tools / tool.name).symlink_to(tool)
    env_path = os.environ["PATH"]
    os.environ["PATH"] = str(tools)
    try:
        made = make(f"DESTDIR={tmp_path}/to", "install")
    finally:
        os.environ["PATH"] = env_path
    assert made.returncode == 0, made.stderr
    assert made.stdout == "no man pages: that takes scdoc\n"
    assert (tmp_path / "to/usr/local/bin/colony").exists()
    assert not list(tmp_path.glob("to/**/man"))
