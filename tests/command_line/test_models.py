import json
import re

import published
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from engine.families import FAMILIES, NAMED
from engine.folders import cache_dir
from engine.footprint import footprint
from engine.hub import SOURCE


@pytest.fixture
def folder(tmp_path):
    return published.write(tmp_path, "dream-coder", published.reference("qwen2"))


@pytest.mark.parametrize("family", [f.name for f in FAMILIES])
def test_info_of_every_family(diffill, family):
    done = diffill("model", "info", family)
    assert (done.code, done.err) == (0, "")
    assert f"family    {family}\n" in done.out
    for model in NAMED[family].models:
        assert model.repository in done.out
        assert model.licence in done.out
        again = diffill("model", "info", model.repository.lower())
        assert f"family    {family}\n" in again.out


def test_info_says_what_a_user_asks(diffill):
    out = diffill("model", "info", "dream-coder").out
    assert "in place: sees all of the text at once" in out
    assert "7.62 B      30.5 GB  15.2 GB   8.2 GB  5.7 GB  Apache-2.0" in out
    assert "licence (Apple AMLR or Apache-2.0)" in diffill("model", "info", "diffucoder").out
    assert "finds the hole's length itself" in diffill("model", "info", "dreamon").out
    assert "16.26 B (1.43 B)" in diffill("model", "info", "llada2").out
    several = diffill("model", "info", "tiny-a2d").out
    assert several.count("family ") == 5
    assert diffill("model", "info", "Tiny-A2D").out == several
    assert "Qwen2.5-Coder-0.5B-Instruct, q4_k_m" in diffill("model", "info").out


@pytest.mark.parametrize("name", ["nope", "nobody/nothing", "./nothing"])
def test_info_of_what_is_not_known(diffill, name):
    done = diffill("model", "info", name)
    assert (done.code, done.out) == (2, "")
    assert f"{name!r} is no model or family that Diffill knows" in done.err


def test_info_of_a_folder(diffill, folder):
    out = diffill("model", "info", folder).out
    assert "family    dream-coder" in out
    assert str(folder) in out
    assert "0.00 B" in out


def test_info_of_a_gguf_file(diffill, tmp_path):
    path = tiny.write_gguf(tmp_path / "m.gguf", tiny.reference())
    out = diffill("model", "info", path).out
    assert "family    qwen2.5-coder" in out
    assert re.search(r"^m\.gguf +0\.00 B( +0\.0 GB){4}  unknown$", out, re.MULTILINE)
    path.write_bytes(path.read_bytes()[:2000])
    done = diffill("model", "info", path)
    assert (done.code, done.out) == (3, "")
    assert "m.gguf is not a GGUF file, or is damaged" in done.err


def test_the_licence_is_that_of_what_was_fetched(diffill, folder):
    assert "unknown" in diffill("model", "info", folder).out
    source = {"repository": "apple/DiffuCoder-7B-Base", "revision": "0123", "files": {}}
    (folder / SOURCE).write_text(json.dumps(source))
    out = diffill("model", "info", folder).out
    assert "from  apple/DiffuCoder-7B-Base, revision 0123" in out
    assert "Apple AMLR, or Apache-2.0" in out


@pytest.mark.parametrize("command", ["check", "path"])
@pytest.mark.parametrize("family", ["dream-coder", "LLaDA", "tiny-a2d"])
def test_a_familys_name_is_no_model(diffill, command, family):
    done = diffill("model", command, family)
    told = f"{family} is a family: `diffill model info {family}` tells its models"
    assert told in done.out + done.err
    assert done.code


def test_the_parameters_are_those_of_the_model():
    for family, (kind, *_) in published.FORMS.items():
        base = published.reference(kind)
        shape = NAMED[family].shape
        config = shape.config(
            published.config_json(base, family), tied=base.config.tie_word_embeddings
        )
        kept = [*base.named_parameters()]
        kept += [
            (name, buffer)
            for name, buffer in base.named_buffers()
            if name.endswith(("correction_bias", "layer_scalar"))
        ]
        expected = sum(t.numel() for name, t in kept if not name.startswith(shape.ignored))
        assert footprint(shape, config).parameters == expected, family


def test_check_of_a_folder(diffill, folder):
    done = diffill("model", "check", folder)
    assert done.code == 0, done.out
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert list(rows) == ["model", "hash", "tensors", "tokenizer", "engine"]
    assert "none is known" in rows["hash"]
    assert "ok  27 of them" in rows["tensors"]
    assert "gives a text back as it was" in rows["tokenizer"]
    assert "ok  answers: 5 tokens" in rows["engine"]


def test_check_names_what_is_wrong(diffill, folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = torch.zeros(3)
    save_file(tensors, folder / "model.safetensors")
    done = diffill("model", "check", folder)
    assert done.code == 1
    assert "tensors  FAIL" in done.out
    assert "'model.norm.weight' has size (3,)" in done.out
    assert "engine" not in done.out


def test_check_of_a_tokenizer_that_loses_text(diffill, folder):
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text())
    data["normalizer"] = {"type": "Lowercase"}
    path.write_text(json.dumps(data))
    (folder / "tokenizer.json").write_text(json.dumps(data).replace('"\u00c3"', '"x"'))
    done = diffill("model", "check", folder)
    assert "tokenizer  FAIL" in done.out


def test_check_hashes_what_came_from_the_hub(diffill, folder):
    place = cache_dir() / "hub" / "Dream-org" / "Dream-Coder@0123"
    place.parent.mkdir(parents=True)
    folder.rename(place)
    files = {"config.json": {"size": 1, "sha256": "0" * 64}}
    source = {"repository": "Dream-org/Dream-Coder", "revision": "0123", "files": files}
    (place / SOURCE).write_text(json.dumps(source))
    assert "Dream-org/Dream-Coder@0123" in diffill("model", "list").out
    done = diffill("model", "check", "Dream-org/Dream-Coder")
    assert done.code == 1
    assert "config.json is not as it was fetched: `diffill model remove" in done.out
    done = diffill("model", "remove", "Dream-org/Dream-Coder")
    assert f"removed {place}" in done.err
    assert not place.exists()
    assert "was not here" in diffill("model", "remove", "Dream-org/Dream-Coder").err


def test_check_of_nothing(diffill):
    done = diffill("model", "check", "nobody/nothing")
    assert done.code == 1
    assert "run `diffill model pull nobody/nothing`" in done.out
