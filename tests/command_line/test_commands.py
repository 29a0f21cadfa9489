import re
import subprocess
import sys
from pathlib import Path

import pytest

from editor_clients.command_line import packages
from engine import catalogue, fetch
from engine.errors import FetchError
from engine.protocol import Effort

ROOT = Path(catalogue.__file__).parents[1]


def test_demo_shows_both_edits_and_writes_nothing(diffill):
    samples = ROOT / "editor_clients" / "command_line" / "samples"
    before = {p.name: p.read_bytes() for p in samples.iterdir() if p.is_file()}
    done = diffill("demo")
    assert done.code == 0
    assert "-    raise NotImplementedError\n+first()\n+second()\n" in done.out
    assert "+EXPORT FUNCTION AVERAGE" in done.out
    assert "-}\n" not in done.out
    assert done.out.count("3 steps, 4 forward calls, 5 tokens") == 2
    assert {p.name: p.read_bytes() for p in samples.iterdir() if p.is_file()} == before
    assert diffill("demo", engine="invalid").code == 4


def test_help_of_every_command(diffill):
    commands = ("fill", "rewrite", "repair", "holes", "undo", "batch", "demo", "lsp", "model")
    for command in (*commands, "doctor", "eval"):
        done = diffill(command, "--help")
        assert (done.code, done.err) == (0, "")
    assert diffill().code == 2
    assert diffill("nonsense").code == 2


def test_bash_completes(diffill, sample):
    sample("x\n", "sample.py")
    script = diffill("completion", "bash")
    assert (script.code, script.err) == (0, "")
    for words, expected in (
        (["diffill", "rew"], "rewrite"),
        (["diffill", "fill", "--sy"], "--symbol"),
        (["diffill", "fill", "--json=s"], "--json=stream"),
        (["diffill", "fill", "sam"], "sample.py"),
    ):
        ask = (
            f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
            '_shtab_diffill; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        command = ["bash", "-c", f"{script.out}\n{ask}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert expected in done.stdout.split(), done.stderr


def test_the_parser_knows_every_effort(diffill, sample):
    sample("a\n")
    for effort in Effort:
        assert diffill("fill", "a.py", "--lines", "1", "--effort", effort).code == 0


def test_version(diffill):
    done = diffill("--version")
    assert (done.code, done.out.startswith("diffill")) == (0, True)


def test_help_loads_little():
    code = (
        "import sys; from editor_clients.command_line.main import main; main(['--help']);"
        "heavy = {'torch', 'rich', 'pygls', 'numpy', 'tree_sitter', 'huggingface_hub', 'asyncio'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_an_edit_loads_no_torch(sample):
    path = sample("a\n")
    code = (
        "import sys, scripted_engine; from editor_clients.command_line.main import main;"
        "main(sys.argv[1:], open_engine=scripted_engine.opener()); sys.exit('torch' in sys.modules)"
    )
    support = Path(__file__).parents[1] / "support"
    ran = subprocess.run(
        [sys.executable, "-c", code, "fill", path, "--lines", "1"],
        env={"PYTHONPATH": f"{ROOT}:{support}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_a_foreign_engine_package_is_refused_and_not_imported(tmp_path):
    hostile = tmp_path / "hostile"
    (hostile / "engine").mkdir(parents=True)
    (hostile / "engine" / "__init__.py").write_text("print('OWNED')\n")
    code = (
        "import sys; from editor_clients.command_line.main import main; sys.exit(main(['doctor']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=hostile,  # `python -c` puts it on the module path
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 3
    assert "engine: not the one installed with Diffill" in ran.stderr
    assert "OWNED" not in ran.stdout + ran.stderr


def test_our_packages_are_ours():
    assert packages.misplaced() == []


def test_doctor(diffill):
    done = diffill("doctor", "--quick")
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert done.code == 1  # there is no model
    assert "FAIL" in rows["model"]
    assert "diffill model pull" in rows["model"]
    assert "rust" in rows["grammars"]
    assert "engine" not in rows
    assert "answers: 5 tokens" in diffill("doctor").out
    assert "FAIL" in diffill("doctor", engine="dies").out.splitlines()[-1]
    assert "not tried" in diffill("doctor", engine=None).out


def test_model_list_path_remove(diffill):
    entry = catalogue.catalogue().default
    assert "no" in diffill("model", "list").out.splitlines()[1]
    assert diffill("model", "path").code == 3
    path = catalogue.cached_path(entry)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(entry.size)
    assert "yes" in diffill("model", "list").out
    assert diffill("model", "path").out == f"{path}\n"
    assert diffill("model", "pull").out == f"{path}\n"
    assert diffill("model", "remove", entry.name).code == 0
    assert not path.exists()
    assert "was not here" in diffill("model", "remove").err
    unknown = diffill("model", "remove", "nope")
    assert (unknown.code, "there are: qwen2.5-coder-0.5b" in unknown.err) == (2, True)


def test_doctor_tells_the_device_and_refuses_a_precision_that_is_none(diffill, monkeypatch):
    monkeypatch.setenv("DIFFILL_DEVICE", "cuda:1")
    assert re.search(r"^device +cuda:1, bfloat16$", diffill("doctor", "--quick").out, re.M)
    monkeypatch.setenv("DIFFILL_PRECISION", "fp8")
    done = diffill("doctor", "--quick")
    assert done.code == 1
    assert re.search(r"^device +FAIL +DIFFILL_PRECISION is 'fp8'", done.out, re.M)


def test_doctor_verifies_the_hash(diffill, monkeypatch):
    entry = catalogue.catalogue().default
    path = catalogue.cached_path(entry)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(b"GGUF\3\0\0\0" + bytes(8) + b"\1" + bytes(7))
        key, value = b"general.architecture", b"qwen2"
        file.write(len(key).to_bytes(8, "little") + key + b"\x08\0\0\0")
        file.write(len(value).to_bytes(8, "little") + value)
        file.truncate(entry.size)
    monkeypatch.setattr(fetch, "sha256_of", lambda path: "00")
    assert "is damaged, its hash is wrong" in diffill("doctor", "--quick", "--verify").out
    monkeypatch.setattr(fetch, "sha256_of", lambda path: entry.sha256)
    assert diffill("doctor", "--quick", "--verify").code == 0


def test_a_model_that_cannot_be_fetched_is_exit_code_3(diffill, sample, monkeypatch):
    sample("a\n")

    def fail(entry, report):
        report("trying", None)
        raise FetchError("no source; --model PATH")

    monkeypatch.setattr(fetch, "fetch", fail)
    done = diffill("fill", "a.py", "--lines", "1", engine=None)
    assert (done.code, done.err) == (3, "diffill: trying\ndiffill: no source; --model PATH\n")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model", b"GGUF\3" + bytes(30)])
def test_a_damaged_model_file_is_told_by_doctor(diffill, sample, content):
    path = sample(content, "bad.gguf")
    done = diffill("doctor", "--quick", "--model", path)
    assert done.code == 1
    assert str(path) in done.out


def test_a_fault_of_ours_is_one_sentence_unless_debugging(diffill, sample, monkeypatch):
    sample("a\n")
    monkeypatch.setattr("editor_clients.command_line.editing.apply", lambda *_: 1 / 0)
    done = diffill("fill", "a.py", "--lines", "1")
    assert done.code == 123
    assert "Traceback" not in done.err
    assert "ZeroDivisionError" in done.err
    monkeypatch.setenv("DIFFILL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        diffill("fill", "a.py", "--lines", "1")
