"""Models on another device than the CPU: a pretended one, as little like it as a GPU."""

import published
import pytest
import tiny
import torch
from second_device import DEVICE, SecondDevice

from engine.adapter import load_adapter
from engine.canvas import Canvas
from engine.causal import NoDraft, Strand, greedy, sampler
from engine.config import EFFORTS, DenoiseConfig, Pacing, Precision, Scoring
from engine.control import Control
from engine.denoise import denoise
from engine.errors import ConfigError
from engine.families import NAMED
from engine.fill import FimDenoiser
from engine.folder import CheckpointFolder
from engine.footprint import bytes_by_layer, footprint
from engine.loading import load_editor
from engine.model import Transformer
from engine.passes import Passes
from engine.placement import CPU, Placed, ready_device
from engine.protocol import EditRequest, Effort
from engine.recognition import family_of
from engine.weights import weights_of
from grammars.span import Span

VOID = tiny.vocabulary().special[tiny.FAMILY.void]
TEXT = "def total(prices):\n    summe = 0\n    return summe\n\n\nx = total([1])\n"
HOLES = tuple(
    Span(TEXT.index(old), TEXT.index(old) + len(old)) for old in ("    summe = 0\n", "total([1])")
)


def edited(folder, effort):
    editor = load_editor(str(folder), lambda message, share: None)
    asked = EditRequest(text=TEXT, spans=HOLES, effort=effort, max_tokens=12)
    (candidate,) = editor.edit(asked, Control()).candidates
    return candidate.replacements


@pytest.mark.parametrize("family", published.FORMS)
def test_a_model_answers_on_another_device_as_on_the_cpu(family, tmp_path, monkeypatch):
    folder = published.write(tmp_path, family, published.reference(published.FORMS[family][0]))
    monkeypatch.setenv("DIFFILL_PRECISION", "float32")

    expected = edited(folder, Effort.BALANCED)
    monkeypatch.setenv("DIFFILL_DEVICE", str(DEVICE))
    with SecondDevice() as device:
        assert edited(folder, Effort.BALANCED) == expected
    assert device.reads


@pytest.fixture
def model(tmp_path):
    """A tiny model with its adapter, put on whatever device is given."""
    base = tiny.reference()
    adapter = tiny.write_adapter(
        tmp_path / "adapter.safetensors", tiny.adapter_tensors(tiny.config_of(base))
    )

    def on(device, precision=Precision.FLOAT32):
        weights = weights_of(tiny.config_of(base), tiny.tensors_of(base), precision, device)
        made = Transformer(weights)
        load_adapter(made, adapter, "base")
        return made

    return on


@pytest.mark.parametrize(
    ("precision", "bound"),
    [(Precision.BFLOAT16, 0.06), (Precision.INT8, 0.06), (Precision.INT4, 0.3)],
)
def test_few_bits_mean_there_what_they_mean_here(model, precision, bound):
    exact = model(CPU).whole(torch.arange(30))
    with SecondDevice():
        hidden = model(DEVICE, precision).whole(torch.arange(30)).cpu()
    assert hidden.dtype == torch.bfloat16
    assert 0 < float((hidden - exact).norm() / exact.norm()) < bound


@pytest.mark.parametrize("config", [effort.denoise for effort in EFFORTS.values()])
def test_a_step_of_denoising_is_read_once(model, config):
    with SecondDevice() as device:
        placed = model(DEVICE)
        denoiser = FimDenoiser(placed, placed.new_cache(64), sentinel=5)
        device.reads = 0
        steps = list(denoise(denoiser, Canvas.blank(16, VOID), config))
    assert device.reads == len(steps) > 1


@pytest.mark.parametrize("pick", [greedy, sampler(1.0, seed=3)])
def test_a_pass_of_decoding_is_read_once(model, pick):
    def decoded(device):
        placed = model(device)
        strand = Strand(placed.new_cache(40), [3], NoDraft(), pick)
        return [step.tokens for step in Passes(placed).decode(strand, adapted=True)]

    expected = decoded(CPU) if pick is greedy else None
    with SecondDevice() as device:
        found = decoded(DEVICE)
    assert len(found) == 40
    assert device.reads == 40 * (1 if pick is greedy else 2)  # a sampler draws on the host
    assert expected in (None, found)


@pytest.mark.parametrize("scoring", Scoring)
@pytest.mark.parametrize("pacing", [Pacing.THRESHOLD, Pacing.FACTOR, Pacing.ENTROPY])
def test_every_rule_decides_as_on_the_cpu(model, scoring, pacing):
    rules = {"credit": 0.3, "finish_gap": 4.0, "revoke_threshold": 0.2, "max_revisions": 1}
    config = DenoiseConfig(scoring=scoring, pacing=pacing, **rules)

    def canvases(device):
        placed = model(device)
        denoiser = FimDenoiser(placed, placed.new_cache(64), sentinel=5)
        steps = denoise(denoiser, Canvas.blank(16, VOID), config)
        return [step.canvas.ids.tolist() for step in steps]

    expected = canvases(CPU)
    with SecondDevice():
        assert canvases(DEVICE) == expected


@pytest.mark.parametrize("family", ["qwen2.5-coder", "llada-moe", "diffusion-gemma"])
@pytest.mark.parametrize("precision", ["float32", "int8", "int4"])
def test_what_has_no_room_is_brought_over(family, precision, tmp_path, monkeypatch, caplog):
    folder = published.write(tmp_path, family, published.reference(published.FORMS[family][0]))
    monkeypatch.setenv("DIFFILL_PRECISION", precision)
    monkeypatch.setenv("DIFFILL_DEVICE", str(DEVICE))

    def answer():
        with SecondDevice():
            return edited(folder, Effort.QUICK)

    expected = answer()
    assert caplog.text == ""
    files = CheckpointFolder(folder, family_of(folder))
    sizes = bytes_by_layer(files, files.config, Precision(precision))
    room = sizes[-1] + sizes[0] + 0.5 * sizes[1]
    monkeypatch.setenv("DIFFILL_DEVICE_GB", str(room / 0.75 / 1e9))
    assert answer() == expected
    assert f"1 of {files.config.num_layers} layers have room on {DEVICE}" in caplog.text
    monkeypatch.setenv("DIFFILL_DEVICE_GB", str(sizes[-1] / 1e9))
    with pytest.raises(ConfigError, match="embedding and output alone need"):
        answer()
    monkeypatch.setenv("DIFFILL_DEVICE_GB", "much")
    with pytest.raises(ConfigError, match="DIFFILL_DEVICE_GB is 'much'"):
        answer()


@pytest.mark.parametrize("family", ["dream", "llada-moe", "qwen2.5-coder"])
@pytest.mark.parametrize("precision", Precision)
def test_the_layers_add_up_to_the_footprint(family, precision, tmp_path):
    folder = published.write(tmp_path, family, published.reference(published.FORMS[family][0]))
    files = CheckpointFolder(folder, family_of(folder))
    assert not files.config.tied_embedding
    whole = footprint(NAMED[family].shape, files.config).bytes[precision]
    parts = bytes_by_layer(files, files.config, precision)
    assert sorted(parts) == [-1, *range(files.config.num_layers)]
    assert sum(parts.values()) == pytest.approx(whole, abs=1)


def test_a_checkpoint_is_placed_tensor_by_tensor():
    read = []

    class Tensors(dict):
        def __getitem__(self, name):
            read.append(name)
            return super().__getitem__(name)

    placed = Placed(Tensors(a=torch.ones(2), b=torch.ones(3)), torch.device("cpu"), torch.bfloat16)
    assert "a" in placed
    assert list(placed) == ["a", "b"]
    assert len(placed) == 2
    assert read == []
    assert placed["b"].dtype == torch.bfloat16
    assert read == ["b"]


@pytest.mark.parametrize("name", ["cuda", "tpu", "cpu:x"])
def test_a_device_that_is_not_there_is_named(name, monkeypatch):
    monkeypatch.setenv("DIFFILL_DEVICE", name)
    with pytest.raises(ConfigError, match=f"DIFFILL_DEVICE is '{name}': "):
        ready_device()
