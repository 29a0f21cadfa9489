import asyncio
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.client import EngineProcess
from engine.errors import EngineUnavailable
from engine.pages import in_large_pages
from engine.place import Identity, Place
from engine.protocol import EditRequest
from engine.shared import Home, SharedEngine
from grammars.span import Span

NAME = "GLIBC_TUNABLES"
KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
KIND = Path("/sys/kernel/mm/transparent_hugepage/enabled")
DEFRAG = KIND.with_name("defrag")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only there")
asks_for_them = pytest.mark.skipif(
    not KIND.exists()
    or "[never]" in KIND.read_text()
    or not {"[always]", "[madvise]", "[defer+madvise]"} & set(DEFRAG.read_text().split())
    or platform.libc_ver()[0] != "glibc"
    or tuple(map(int, platform.libc_ver()[1].split("."))) < (2, 35),
    reason="the system has none, or glibc does not ask for them",
)


def without(*arguments, **own):
    """What Python prints that has not been told; `own` is its environment beside ours."""
    environment = {name: text for name, text in os.environ.items() if name != NAME} | own
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return process.pid, said.split()


def test_the_users_own_choice_stays():
    own = {"A": "1", NAME: "mine", KERNELS: "7"}
    assert in_large_pages(own) == own
    assert "hugetlb=1" in in_large_pages({})[NAME]
    assert int(in_large_pages({})[KERNELS]) < 1024  # oneDNN's own


@linux
def test_a_program_starts_again_as_itself_once(tmp_path):
    program = tmp_path / "a program.py"
    program.write_text(
        "import os, sys; from engine.pages import start_again_in_large_pages as again\n"
        "print('begun', flush=True); again()\n"
        f"print(os.getpid(), *sys.argv[1:], os.environ[{NAME!r}])\n"
    )
    told = in_large_pages({})[NAME]
    pid, said = without("-P", str(program), "a", "-b")
    assert said == ["begun", "begun", str(pid), "a", "-b", told]
    pid, said = without("-P", str(program), **{NAME: ""})
    assert said == ["begun", str(pid)]


@linux
def test_a_program_whose_tunables_are_taken_away_starts_again_once_only(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        f"import os; os.environ.pop({NAME!r}, None); print('begun', flush=True)\n"
        "from engine.pages import start_again_in_large_pages as again; again()\n"
    )
    assert without(str(program))[1] == ["begun", "begun"]


@asks_for_them
def test_memory_of_a_program_that_was_told_lies_in_large_pages():
    code = "import re; from pathlib import Path; kept = [b'a' * (1 << 20) for _ in range(64)]; "
    code += "text = Path('/proc/self/smaps_rollup').read_text(); "
    code += r"print(re.search(r'AnonHugePages:\s+(\d+)', text)[1])"
    kilobytes = int(without("-c", code, **in_large_pages({}))[1][0])
    assert kilobytes > 32 << 10


def test_an_engine_is_told(monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    code = f"import json, os; name = {NAME!r}; print(json.dumps(dict(type='status', "
    code += "state='ready', message=os.environ[name], fraction=1.0)), flush=True)"
    seen = []

    async def ask():
        command = [sys.executable, "-c", code]
        engine = EngineProcess(command=command, on_status=lambda status: seen.append(status))
        with pytest.raises(EngineUnavailable):  # it answers nothing else, and ends
            await engine.edit(EditRequest(text="a", spans=(Span(0, 1),), language="python"))
        await engine.close()

    asyncio.run(ask())
    assert seen[0].message == in_large_pages({})[NAME]


@linux
def test_a_shared_engine_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv(NAME, raising=False)
    code = f"import os, sys; sys.exit(os.environ[{NAME!r}])"
    home = Home(Place(tmp_path, "told"), Identity("1", "told", "0"), [sys.executable, "-c", code])

    async def ask():
        engine = SharedEngine(home=home)
        with pytest.raises(EngineUnavailable, match=re.escape(in_large_pages({})[NAME])):
            await engine.edit(EditRequest(text="a", spans=(Span(0, 1),), language="python"))
        await engine.close()

    asyncio.run(ask())
