"""The corpus builder, on an archive and a list of this test's own."""

import hashlib
import io
import json
import re
import shutil
import tarfile
import zipfile

import pytest

from engine.errors import ConfigError, FetchError
from engine.training import cleaning, corpus, licences, sources, splitting
from engine.training.duplicates import Duplicates

LONG = "    return sorted(numbers, key=lambda number: (bin(number).count('1'), number))"
OTHER = "    assert candidate_of_this_test([1, 5, 2, 3, 4]) == [1, 2, 4, 3, 5], 'ordered wrongly'"


def code(name, lines=40):
    """A Python file as somebody may have written it."""
    body = "".join(f"    {name}_{i} = compute_{name}(first_{i}, second)\n" for i in range(lines))
    return f'"""Compute {name}."""\n\n\ndef {name}(second):\n{body}    return {name}_0\n'


def hashes_of(*lines):
    keys = [re.sub(r"\W+", "", line).lower() for line in lines]
    return "\n".join(hashlib.blake2b(k.encode(), digest_size=6).hexdigest() for k in keys)


@pytest.fixture
def contamination():
    return cleaning.Contamination("# made up for this test\n" + hashes_of(LONG, OTHER))


@pytest.fixture
def workshop(tmp_path, contamination):
    """A folder with a list of two pinned packages, whose archives are there already."""
    (tmp_path / "bench.txt").write_text(hashes_of(LONG, OTHER))

    def lay(files_of):
        tables = []
        for name, files in files_of.items():
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as wheel:
                for path, text in files.items():
                    wheel.writestr(path, text.encode())
            digest = hashlib.sha256(packed.getvalue()).hexdigest()
            pin = {"registry": "pypi", "name": name, "version": "1.0", "licence": "MIT"}
            pin["sha256"] = digest
            downloads = tmp_path / "out" / "downloads"
            downloads.mkdir(parents=True, exist_ok=True)
            (downloads / f"pypi-{name}-{digest[:12]}").write_bytes(packed.getvalue())
            fields = "\n".join(f"{key} = {json.dumps(value)}" for key, value in pin.items())
            tables.append(f"[[package]]\n{fields}\n")
        (tmp_path / "sources.toml").write_text("\n".join(tables))
        return tmp_path

    return lay


def run(folder, *more):
    arguments = ["--only", "pinned", "--sources", str(folder / "sources.toml")]
    arguments += ["--contamination", str(folder / "bench.txt"), *more]
    return corpus.main([str(folder / "out"), *arguments])


def rows(folder, split):
    lines = (folder / "out" / f"{split}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_file_like_a_benchmark_is_dropped(workshop):
    planted = code("planted") + f"\n\ndef order(numbers):\n{LONG}\n\n\ndef check():\n{OTHER}\n"
    single = code("single") + f"\n\ndef order(numbers):\n{LONG}\n"
    folder = workshop({"one": {"one/planted.py": planted, "one/single.py": single}})
    assert run(folder) == 0
    assert [row["path"] for row in rows(folder, "train")] == ["one/single.py"]


def test_rows_and_manifest_say_where_the_text_is_from(workshop):
    text = code("alpha")
    folder = workshop({"one": {"one/a.py": text.replace("\n", "\r\n")}})
    assert run(folder) == 0
    known = {"package": "one", "version": "1.0", "licence": "MIT", "path": "one/a.py"}
    assert rows(folder, "train") == [{**known, "language": "python", "text": text}]
    assert (folder / "out" / "manifest.tsv").read_text() == (
        "name\tversion\tlicence\tlanguages\tfiles\tcharacters\ttokens\tsplit\n"
        f"one\t1.0\tMIT\tpython\t1\t{len(text)}\t\ttrain\n"
    )


def test_copies_across_packages_are_taken_once_and_held_packages_are_whole(workshop):
    names = [f"package{i}" for i in range(8)]
    files = {
        name: {f"{name}/{i}.py": code(f"{name}_part{i}") for i in range(5)} | {"copy.py": code("x")}
        for name in names
    }
    folder = workshop(files)
    assert run(folder) == 0
    train, held = rows(folder, "train"), rows(folder, "held")
    assert len(train) + len(held) == 8 * 5 + 1
    of_train, of_held = ({row["package"] for row in part} for part in (train, held))
    assert of_held and not of_train & of_held
    assert of_train | of_held == set(names)


def test_a_stopped_run_goes_on_with_what_it_has(workshop):
    folder = workshop({"one": {"a.py": code("alpha")}, "two": {"b.py": code("beta")}})
    assert run(folder) == 0
    first = (folder / "out" / "train.jsonl").read_bytes(), rows(folder, "held")
    for archive in (folder / "out" / "downloads").iterdir():
        archive.write_bytes(b"damaged since: only who reads it again would notice")
    (folder / "out" / "train.jsonl").unlink()
    assert run(folder) == 0
    assert ((folder / "out" / "train.jsonl").read_bytes(), rows(folder, "held")) == first


def test_a_source_that_cannot_be_had_is_skipped(workshop, capsys):
    folder = workshop({"one": {"a.py": code("alpha")}, "gone": {"b.py": code("beta")}})
    for archive in (folder / "out" / "downloads").glob("pypi-gone-*"):
        archive.write_bytes(b"no zip file")
    assert run(folder) == 0
    assert "skipped gone 1.0: its archive is damaged" in capsys.readouterr().err
    assert [row["package"] for row in rows(folder, "train") + rows(folder, "held")] == ["one"]


def test_no_source_at_all_is_an_error(workshop, capsys):
    folder = workshop({"gone": {"b.py": code("beta")}})
    for archive in (folder / "out" / "downloads").iterdir():
        archive.write_bytes(b"no zip file")
    assert run(folder) == 3
    assert "no source could be had" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--python-share", "7"], "--python-share 7 must lie between 0 and 1"),
        (["--contamination", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["--sources", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--tokenizer", "nowhere.gguf"], "nowhere.gguf"),
    ],
)
def test_wrong_arguments_end_in_one_sentence(workshop, capsys, arguments, said):
    folder = workshop({"one": {"a.py": code("alpha")}})
    assert run(folder, *arguments) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert said in message and "Traceback" not in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (code("fine"), ""),
        (code("a", 5), "short"),
        (code("a", 6000), "huge"),
        (code("a") + "x = '" + "long " * 200 + "'\n", "minified"),
        ("table = [\n" + "    0x00, 0x01, 0x02, 0x03,\n" * 60 + "]\n", "data"),
        ("# Code generated by a tool. DO NOT EDIT.\n" + code("a"), "generated"),
        (code("a") + "marker = '<|fim_middle|>'\n", "special tokens"),
        (code("a") + "marker = '<|im_start|>'\n", "special tokens"),
        (code("a") + "marker = '<|endoftext|>'\n", "special tokens"),
        ("# SPDX-License-Identifier: LGPL-2.1-only\n" + code("a"), "other licence"),
        (code("a") + "print 'of Python 2'\ndef :\n", "does not parse"),
    ],
)
def test_what_is_not_worth_learning_from(text, reason, contamination):
    assert cleaning.fault(text, "python", contamination) == reason


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("one/app.py", True),
        ("one/app.txt", False),
        ("one/app.min.js", False),
        ("one/_vendor/app.py", False),
        ("third_party/app.cc", False),
        ("one/types.d.ts", False),
        ("go/build/read.go", True),
        ("human_eval/data.py", False),
    ],
)
def test_a_name_tells_what_is_wanted(path, wanted):
    assert cleaning.is_wanted(path) is wanted


def test_a_header_may_be_c_plus_plus():
    assert cleaning.language_of("a.h", "int add(int a, int b);\n") == "c"
    assert cleaning.language_of("a.h", "namespace one {\nclass Two;\n}\n") == "cpp"


def test_near_copies_are_found_and_others_are_not():
    duplicates = Duplicates()
    assert duplicates.check(code("alpha", 100)) == ""
    assert duplicates.check(code("alpha", 100).replace("    ", "\t")) == "copy"
    assert duplicates.check(code("alpha", 100) + "\n\nVERSION = 2\n") == "near copy"
    assert duplicates.check(code("beta", 100)) == ""


@pytest.mark.parametrize(
    ("expression", "permissive"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND (MIT OR Apache-2.0)", True),
        ("Apache-2.0 WITH LLVM-exception AND MIT", True),
        ("MIT OR GPL-2.0-only", True),
        ("MIT AND MPL-2.0", False),
        ("MIT AND (MIT OR GPL-2.0-only)", False),
        ("GPL-3.0-only WITH GCC-exception-3.1", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_only_permissive_licences_pass(expression, permissive):
    assert licences.is_permissive(expression) is permissive


def test_the_list_that_ships_is_whole():
    pins = sources.pins((corpus._HERE / "sources.toml").read_text("utf-8"))
    assert {pin.registry for pin in pins} == {"pypi", "npm", "debian"}
    assert len({pin.name for pin in pins}) == len(pins) <= 40
    assert all(re.fullmatch(r"[0-9a-f]{64}", pin.sha256) for pin in pins)
    shipped = cleaning.Contamination.read(corpus._HERE / "contamination.txt")
    assert not shipped.holds(code("alpha"))


PIN = 'registry = "npm"\nname = "one"\nversion = "1"\nlicence = "MIT"\nsha256 = "ab"\n'


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (PIN.replace("MIT", "GPL-3.0-only"), "one: GPL-3.0-only is not a permissive licence"),
        (PIN.replace("npm", "floppy"), "one: registry must be one of pypi, npm, debian"),
        (PIN.replace('version = "1"\n', ""), "one: version is missing"),
        (PIN + 'mirror = "x"\n', "one: unknown field mirror"),
        (PIN + 'only = "src"\n', "one: only has another type"),
        ("name = ", "not TOML"),
    ],
)
def test_a_wrong_pin_is_named(toml, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        sources.pins("[[package]]\n" + toml)


def test_archives_of_npm_are_read_below_their_prefixes(tmp_path):
    archive = tmp_path / "npm-one-abababababab"
    with tarfile.open(archive, "w:gz") as tar:
        for path in ("package/src/a.js", "package/dist/a.js"):
            member = tarfile.TarInfo(path)
            member.size = len(path)
            tar.addfile(member, io.BytesIO(path.encode()))
    pin = sources.Pin(
        registry="npm",
        name="one",
        version="1",
        licence="MIT",
        sha256="ab" * 32,
        only=("package/src/",),
    )
    found = {path: read() for path, read in pin.package(tmp_path).files()}
    assert found == {"package/src/a.js": b"package/src/a.js"}


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_a_damaged_debian_archive_is_said_to_be(tmp_path):
    pin = sources.Pin(registry="debian", name="one", version="1", licence="MIT", sha256="cd" * 32)
    (tmp_path / "debian-one-cdcdcdcdcdcd").write_bytes(b"no archive")
    with pytest.raises(FetchError, match="damaged"):
        list(pin.package(tmp_path).files())
    assert list(tmp_path.iterdir()) == []


def test_languages_give_way_from_the_largest_until_python_has_its_share():
    sizes = {"python": 700, "go": 400, "rust": 200, "java": 30}
    files = [
        splitting.File("one", f"{language}/{i}", language, 10)
        for language, total in sizes.items()
        for i in range(total // 10)
    ]
    kept = splitting.balanced(files, 0.7)
    sums = {name: sum(f.chars for f in kept if f.language == name) for name in sizes}
    assert sums == {"python": 700, "go": 130, "rust": 130, "java": 30}


def test_held_packages_are_few_and_of_every_language():
    files = [
        splitting.File(f"{language}-{i}", "file", language, 100 + i)
        for language in ("python", "go", "typescript", "java")
        for i in range(30)
    ]
    held = splitting.held_packages(files)
    assert {name.partition("-")[0] for name in held} == {"python", "go", "typescript", "java"}
    assert 4 <= len(held) <= 8
    assert splitting.held_packages([splitting.File("alone", "a", "rust", 10)]) == frozenset()
