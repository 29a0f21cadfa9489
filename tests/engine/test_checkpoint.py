import random

import gguf
import published
import pytest
import tiny
import torch

from engine import catalogue
from engine.checkpoint import Checkpoint
from engine.control import Control
from engine.errors import CheckpointError, EngineError
from engine.families import NAMED
from engine.loading import load_editor, load_model
from engine.model import Transformer
from engine.protocol import EditRequest, Effort
from engine.weights import FloatWeights
from grammars.span import Span

VOCAB = tiny.GGUF_VOCAB
IDS = [3, 1, 4, 1, 5, 9, 2, 6]


@pytest.fixture
def model(reference):
    def get(architecture="qwen2", padding=0, **options):
        return reference(architecture, vocab_size=VOCAB + padding, **options)

    return get


def load(path):
    checkpoint = Checkpoint(path)
    return Transformer(FloatWeights(checkpoint.config, checkpoint.tensors()))


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize("tied", [False, True])
def test_a_file_gives_the_model_it_was_made_of(model, tmp_path, close, architecture, tied):
    base = model(architecture, tied=tied)
    path = tiny.write_gguf(tmp_path / "m.gguf", base)
    assert Checkpoint(path).config == tiny.config_of(base)
    loaded = load(path)
    got = loaded.logits(loaded.encode(IDS, loaded.new_cache(len(IDS))))
    close(got, base(torch.tensor([IDS])).logits[0])


def test_the_names_are_those_of_the_published_model(model, tmp_path):
    base = model(tied=True)
    tensors = Checkpoint(tiny.write_gguf(tmp_path / "m.gguf", base)).tensors()
    expected = tiny.tensors_of(base)
    assert set(tensors) == set(expected)
    assert len(tensors) == len(expected)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert "layers.2.mlp.up_proj.weight" not in tensors


@pytest.mark.parametrize(("kind", "dtype"), [("F16", torch.float16), ("BF16", torch.bfloat16)])
def test_floats_stay_as_they_are(model, tmp_path, kind, dtype):
    base = model("llama")
    names = {"blk.1.ffn_up.weight": "mlp.up_proj", "blk.1.attn_q.weight": "self_attn.q_proj"}
    to = gguf.GGMLQuantizationType[kind]
    path = tiny.write_gguf(tmp_path / "m.gguf", base, quantize=names, quantize_to=to)
    tensors = Checkpoint(path).tensors()
    for name in names.values():
        got = tensors[f"layers.1.{name}.weight"]
        assert got.dtype == dtype
        assert torch.equal(got, tiny.tensors_of(base)[f"layers.1.{name}.weight"].to(dtype))


def test_quantised_tensors_are_dequantised(model, tmp_path):
    base = model(width=64)
    path = tiny.write_gguf(tmp_path / "m.gguf", base, quantize=["blk.1.ffn_up.weight"])
    original = tiny.tensors_of(base)["layers.1.mlp.up_proj.weight"]
    q8 = gguf.GGMLQuantizationType.Q8_0
    expected = gguf.quants.dequantize(gguf.quants.quantize(original.numpy(), q8), q8)
    got = Checkpoint(path).tensors()["layers.1.mlp.up_proj.weight"]
    assert got.dtype == torch.float32
    assert torch.equal(got, torch.from_numpy(expected))
    assert not torch.equal(got, original)


def test_one_matrix_stored_twice_is_tied(model, tmp_path):
    base = model(seed=3)
    kept = tiny.tensors_of(base)["lm_head.weight"].clone()
    try:
        base.lm_head.weight.copy_(base.model.embed_tokens.weight * 1.001)
        same = Checkpoint(tiny.write_gguf(tmp_path / "same.gguf", base))
        base.lm_head.weight[0] *= -1
        different = Checkpoint(tiny.write_gguf(tmp_path / "different.gguf", base))
    finally:
        base.lm_head.weight.copy_(kept)
    assert same.config.tied_embedding
    assert not different.config.tied_embedding


def test_the_vocabulary_has_no_padding(model, tmp_path):
    checkpoint = Checkpoint(tiny.write_gguf(tmp_path / "m.gguf", model(padding=3), padding=3))
    assert checkpoint.vocabulary() == tiny.vocabulary(["Ġ Ġ"])
    assert checkpoint.config.vocab_size == VOCAB + 3


def test_another_architecture_is_refused(model, tmp_path):
    path = tiny.write_gguf(tmp_path / "m.gguf", model(), architecture="gpt2")
    with pytest.raises(CheckpointError, match="'gpt2' model"):
        Checkpoint(path)


def test_a_missing_tensor_is_named(model, tmp_path):
    path = tiny.write_gguf(tmp_path / "m.gguf", model(), omit=["blk.1.ffn_down.weight"])
    with pytest.raises(CheckpointError, match=r"'blk\.1\.ffn_down\.weight' is missing"):
        load(path)
    with pytest.raises(CheckpointError, match=r"'blk\.1\.ffn_down\.weight' is missing"):
        Checkpoint(path).tensor("blk.1.ffn_down.weight")


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [
        ("blk.1.ffn_down.weight", (48, 50), r"has size \(48, 50\), its fields ask for \(48, 96\)"),
        ("blk.0.attn_norm.weight", (5,), r"has size \(5,\), its fields ask for \(48,\)"),
        ("token_embd.weight", (90, 48), r"has size \(90, 48\), its fields ask for"),
        ("rope_freqs.weight", (6,), "and 0 more have no place"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(model, tmp_path, name, size, told):
    path = tiny.write_gguf(tmp_path / "m.gguf", model(), change={name: torch.zeros(size)})
    with pytest.raises(CheckpointError, match=f"tensor '{name}' {told}"):
        load(path)


def test_a_missing_field_is_named(tmp_path):
    path = tmp_path / "m.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(CheckpointError, match=r"qwen2\.attention\.head_count"):
        Checkpoint(path)


@pytest.mark.parametrize(
    "content", [b"", b"GGUF", b"GGUF" + bytes(60), b"\x00" * 100, b"PK\x03\x04" + b"x" * 200]
)
def test_garbage_is_refused(tmp_path, content):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"m\.gguf"):
        Checkpoint(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.gguf cannot be read: No such file"):
        Checkpoint(tmp_path / "gone.gguf")


def test_a_truncated_file_is_refused(model, tmp_path):
    whole = tiny.write_gguf(tmp_path / "whole.gguf", model()).read_bytes()
    cut = tmp_path / "cut.gguf"
    rng = random.Random(0)
    for size in [1, 23, 24, *(rng.randrange(len(whole) - 64) for _ in range(12))]:
        cut.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"cut\.gguf"):
            load(cut)


def test_flipped_bytes_of_the_header_give_a_model_or_a_reason(model, tmp_path):
    whole = tiny.write_gguf(tmp_path / "whole.gguf", model()).read_bytes()
    end = gguf.GGUFReader(tmp_path / "whole.gguf").data_offset
    path = tmp_path / "flipped.gguf"
    rng = random.Random(0)
    refused = 0
    for _ in range(60):
        content = bytearray(whole)
        content[rng.randrange(end)] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        try:
            Checkpoint(path).vocabulary()
        except EngineError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("field", ["attention.head_count", "block_count", "context_length"])
def test_a_size_of_nothing_is_named(model, tmp_path, field):
    path = tiny.write_gguf(tmp_path / "m.gguf", model())
    data = path.read_bytes()
    at = data.index(f"qwen2.{field}".encode()) + len(f"qwen2.{field}") + 4
    path.write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    with pytest.raises(CheckpointError, match=rf"field '{field}' is 0, not a number above 0"):
        Checkpoint(path)


DIFFUSION = ("<|endoftext|>", "<|beginoftext|>", "<|startoftext|>", "<|mask|>", "<|mdm_mask|>")


@pytest.mark.parametrize(("architecture", "base"), [("dream", "qwen2"), ("llada", "llama")])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_conversions_of_diffusion_models_fill_in_place(
    reference, tmp_path, monkeypatch, close, architecture, base, precision
):
    model = reference(base, vocab_size=len(tiny.vocabulary(["Ġ Ġ"], DIFFUSION).tokens))
    path = tmp_path / f"{architecture}-8b-q8_0.gguf"
    tiny.write_gguf(path, model, architecture=architecture, special=DIFFUSION)
    monkeypatch.setenv("DIFFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DIFFILL_PRECISION", precision)
    local = catalogue.resolve_local(str(path))
    assert local.entry.family == NAMED[architecture].layout
    loaded, _ = load_model(local, lambda message, share: None, None)
    ids = [5, 80, 3, 17, 42]
    got = loaded.logits(loaded.whole(torch.tensor(ids)))
    expected = published.read_all(model, ids)
    if precision == "float32":
        close(got, expected)
    else:
        assert torch.cosine_similarity(got, expected, dim=-1).median() > 0.98
    editor = load_editor(str(path), lambda message, share: None)
    text = "def f(x):\n    return \n"
    hole = Span(len(text) - 1, len(text) - 1)
    result = editor.edit(
        EditRequest(text=text, spans=(hole,), effort=Effort.QUICK, max_tokens=8), Control()
    )
    assert result.stats.forward_calls > 0


def test_a_conversions_name_tells_its_family(reference, tmp_path):
    path = tmp_path / "DreamOn-v0-7B.Q4_K_M.gguf"
    tiny.write_gguf(path, reference(), architecture="dream")
    assert catalogue.resolve_local(str(path)).entry.family == NAMED["dreamon"].layout
