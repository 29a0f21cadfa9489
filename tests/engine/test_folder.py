import ast
import json
import os
from pathlib import Path

import published
import pytest
import torch

from engine import families
from engine.catalogue import resolve_local
from engine.config import Precision
from engine.errors import CheckpointError, ConfigError, EngineError
from engine.families import FAMILIES, NAMED
from engine.family import Blocks, Family, InPlace, Uniform
from engine.folder import CheckpointFolder
from engine.loading import load_model, network_of
from engine.model import Transformer
from engine.recognition import family_of
from engine.tokenizer import Tokenizer
from engine.weights import FloatWeights

IDS = [5, 80, 3, 17, 42, 42, 250, 9, 61]
TEXT = "def größe(x):\n    return  x # <|mask|> e\u0301\r\n\t😀"


@pytest.fixture
def made():
    known = {}

    def get(kind, **options):
        key = (kind, *sorted(options.items()))
        if key not in known:
            known[key] = published.reference(kind, **options)
        return known[key]

    return get


def opened(folder):
    return CheckpointFolder(folder, family_of(folder))


def loaded(folder, weights=FloatWeights):
    files = opened(folder)
    return network_of(weights(files.config, files))


def test_every_family_of_the_table_is_written_by_these_tests():
    assert {family.name for family in FAMILIES} == set(published.FORMS)


def test_an_entry_of_the_table_is_short():
    for path in Path(families.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "OpenFamily":
                assert node.end_lineno - node.lineno < 40


@pytest.mark.parametrize("family", published.FORMS)
def test_a_folder_gives_the_model_it_was_made_of(made, tmp_path, close, family):
    base = made(published.FORMS[family][0])
    folder = published.write(tmp_path, family, base)
    assert family_of(folder).name == family
    model = loaded(folder)
    ids = torch.tensor(IDS)
    match NAMED[family].layout:
        case InPlace():
            close(model.logits(model.whole(ids)), published.read_all(base, IDS))
        case Family():
            got = model.logits(model.encode(IDS, model.new_cache(len(IDS))))
            close(got, base(ids[None]).logits[0])
        case Blocks(block=size):
            size = min(size, 4)  # more than one of them
            expected = published.read_in_blocks(base, IDS, size)
            cache = model.new_cache(len(IDS))
            close(model.logits(model.in_blocks(ids, cache, size)), expected)
            model.in_blocks(ids[: 2 * size], cache, size)
            cache.keep(2 * size)
            close(model.logits(model.in_blocks(ids[2 * size :], cache, size)), expected[2 * size :])
        case Uniform():
            pytest.skip("its logits are those of a canvas: test_diffusion_gemma.py")


@pytest.mark.parametrize("family", ["open-dcoder", "tiny-a2d-qwen3"])
def test_a_tied_head_is_the_embedding(made, tmp_path, close, family):
    base = made(published.FORMS[family][0], tied=True)
    model = loaded(published.write(tmp_path, family, base))
    assert model.config.tied_embedding
    close(model.logits(model.whole(torch.tensor(IDS))), published.read_all(base, IDS))


def test_shards_and_half_precision(made, tmp_path, close):
    base = made("qwen2")
    folder = published.write(tmp_path, "dream-coder", base, shards=3, dtype=torch.bfloat16)
    files = opened(folder)
    model = Transformer(FloatWeights(files.config, files, torch.float32))
    close(model.logits(model.whole(torch.tensor(IDS))), published.read_all(base, IDS), 0.2)
    stored = Transformer(FloatWeights(files.config, files))
    assert stored.dtype == torch.bfloat16
    hidden = stored.whole(torch.tensor(IDS))
    assert hidden.dtype == torch.bfloat16
    close(stored.logits(hidden), model.logits(model.whole(torch.tensor(IDS))), 0.6)


@pytest.mark.parametrize(
    ("precision", "near"),
    [
        (Precision.FLOAT32, 0.999999),
        (Precision.BFLOAT16, 0.999),
        (Precision.INT8, 0.98),
        (Precision.INT4, 0.9),
    ],
)
@pytest.mark.parametrize("family", ["coda", "llada2", "diffugpt"])
def test_every_precision_is_near(made, tmp_path, monkeypatch, family, precision, near):
    base = made(published.FORMS[family][0], width=64)
    folder = published.write(tmp_path, family, base)
    monkeypatch.setenv("DIFFILL_PRECISION", precision)
    model, _ = load_model(resolve_local(str(folder)), lambda message, share: None, None)
    got, expected = model.logits(model.whole(torch.tensor(IDS))), published.read_all(base, IDS)
    assert torch.cosine_similarity(got, expected, dim=-1).median() > near
    assert torch.cosine_similarity(got, expected, dim=-1).median() < 1 - 1e-6 or near > 0.9999


def test_a_precision_that_is_none(monkeypatch, tmp_path, made):
    folder = published.write(tmp_path, "coda", made("qwen3"))
    monkeypatch.setenv("DIFFILL_PRECISION", "fp8")
    with pytest.raises(ConfigError, match="'fp8', not one of: float32, bfloat16, int8, int4"):
        load_model(resolve_local(str(folder)), lambda message, share: None, None)


def test_files_of_transformers_5_keep_rotary_settings_in_a_table(made, tmp_path, close):
    base = made("qwen2")
    change = {"rope_theta": None, "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0}}
    folder = published.write(tmp_path, "dream", base)
    config = json.loads((folder / "config.json").read_text("utf-8")) | change
    del config["rope_theta"]
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    model = loaded(folder)
    close(model.logits(model.whole(torch.tensor(IDS))), published.read_all(base, IDS))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "gpt_neox"}, "model_type is 'gpt_neox'; the families are: dream,"),
        ({"model_type": None}, "model_type is None"),
        ({"num_hidden_layers": 3}, "tensor 'model.layers.2.input_layernorm.weight' is missing"),
        ({"num_hidden_layers": 1}, "tensor 'model.layers.1.*' and 11 more have no place"),
        ({"hidden_size": 64}, r"'model.embed_tokens.weight' has size \(\d+, 48\).*\(\d+, 64\)"),
        ({"num_key_value_heads": 3}, "num_heads is 4, not a multiple of num_kv_heads 3"),
        ({"hidden_size": "48"}, "hidden_size is '48', not a number above 0"),
        ({"hidden_size": True}, "hidden_size is True, not a number above 0"),
        ({"num_attention_heads": -4}, "num_attention_heads is -4"),
        ({"intermediate_size": None}, "intermediate_size is missing"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu', only 'silu' is supported"),
        ({"use_sliding_window": True}, "use_sliding_window is True"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "of type 'yarn' are not known"),
        ({"rope_scaling": [1]}, "not a table"),
        ({"mask_token_id": "x"}, "mask_token_id is 'x', not a token"),
        ({"mask_token_id": -1}, "mask_token_id is -1, not a token"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(made, tmp_path, change, said):
    folder = published.write(tmp_path, "dream-coder", made("qwen2"), change=change)
    with pytest.raises(EngineError, match=said):
        opened(folder)


def test_a_wrong_tensor_is_refused_by_name(made, tmp_path):
    base = made("llama")
    name = "model.transformer.blocks.1.ff_proj.weight"
    for number, (options, said) in enumerate(
        [
            ({"omit": [name]}, f"tensor '{name}' is missing"),
            ({"add": {name: torch.zeros(3, 4)}}, f"'{name}' has size"),
            ({"add": {name: torch.zeros(96, 48, dtype=torch.int64)}}, f"'{name}' is of type I64"),
            ({"add": {"model.extra": torch.zeros(1)}}, "'model.extra' and 0 more have no place"),
        ]
    ):
        folder = published.write(tmp_path / str(number), "llada", base, **options)
        with pytest.raises(CheckpointError, match=said):
            opened(folder)


def test_what_can_be_computed_may_be_there(made, tmp_path, close):
    base = made("llama")
    more = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(6)}
    model = loaded(published.write(tmp_path, "diffullama", base, add=more))
    close(model.logits(model.whole(torch.tensor(IDS))), published.read_all(base, IDS))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "is not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "holds no JSON object"),
        (lambda f: (f / "config.json").write_text("[" * 100_000), "is not JSON"),
        (lambda f: (f / "config.json").write_text(" " * (2 << 20)), "is too large"),
        (lambda f: (f / "model-00002-of-00002.safetensors").unlink(), "00002.* is missing"),
        (lambda f: os.truncate(f / "model-00001-of-00002.safetensors", 999), "is damaged or no"),
        (
            lambda f: (f / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "../../etc/passwd.safetensors"}}'
            ),
            "not a safetensors file beside it",
        ),
        (
            lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": [1]}'),
            "has no table of weights",
        ),
    ],
)
def test_a_damaged_folder_is_refused(made, tmp_path, spoil, said):
    folder = published.write(tmp_path, "llada", made("llama"), shards=2)
    spoil(folder)
    with pytest.raises(CheckpointError, match=said):
        opened(folder)


def test_pickled_weights_are_never_read(made, tmp_path):
    folder = published.write(tmp_path, "llada", made("llama"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pickled weights.*convert them to safetensors"):
        opened(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(CheckpointError, match="has no safetensors file"):
        opened(folder)


def test_the_folder_name_tells_families_of_one_type_apart(made, tmp_path):
    folder = published.write(tmp_path, "diffullama", made("llama"))
    other = folder.rename(tmp_path / "Llama-2-7b")
    with pytest.raises(CheckpointError, match=r"'llama', and its name, which.* no 'diffullama' or"):
        family_of(other)


@pytest.mark.parametrize("family", ["dream", "llada"])  # the two older files, tokenizer.json
def test_text_survives_the_tokenizer(made, tmp_path, family):
    folder = published.write(tmp_path, family, made(published.FORMS[family][0]))
    tokenizer = Tokenizer(opened(folder).vocabulary())
    ids = tokenizer.encode(TEXT)
    assert tokenizer.decode(ids) == TEXT
    assert not {i for i in ids if tokenizer.is_special(i)}
    assert tokenizer.special("<|mask|>") == published.IDS["<|mask|>"]
    assert tokenizer.encode("return") == [*tokenizer.encode("ret"), *tokenizer.encode("urn")]
    assert set(tokenizer.ordinary()) == set(range(len(published.WORDS)))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("tokenizer.json", "{}", "tokenizer is damaged"),
        ("tokenizer.json", '{"added_tokens": [], "model": 3}', "tokenizer is damaged"),
        ("tokenizer.json", "x", "is not JSON"),
    ],
)
def test_a_damaged_tokenizer_is_refused(made, tmp_path, name, text, said):
    folder = published.write(tmp_path, "llada", made("llama"))
    (folder / name).write_text(text)
    with pytest.raises(CheckpointError, match=said):
        Tokenizer(opened(folder).vocabulary())


def test_a_tokenizer_that_is_not_there(made, tmp_path):
    folder = published.write(tmp_path, "llada", made("llama"))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"neither tokenizer\.json nor vocab\.json"):
        opened(folder).vocabulary()
    folder = published.write(tmp_path, "dream", made("qwen2"))
    (folder / "vocab.json").write_text('{"a": 0, "b": 7}')
    with pytest.raises(CheckpointError, match="do not run from 0 without a gap"):
        opened(folder).vocabulary()
    (folder / "vocab.json").write_text('{"a": 0, "b": 1}')
    (folder / "merges.txt").unlink()
    with pytest.raises(CheckpointError, match=r"merges\.txt cannot be read"):
        opened(folder).vocabulary()
