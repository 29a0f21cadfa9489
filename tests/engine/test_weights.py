import json

import pytest
import tiny
import torch

from engine.errors import CheckpointError
from engine.int8 import Int8Linear, Int8Weight
from engine.model import Transformer
from engine.weights import FloatWeights, PackedWeights, pack

IDS = [3, 1, 4, 1, 5, 9, 2, 6]


def ignore(fraction):
    pass


class Quantised(FloatWeights):
    """Quantised in memory: what packing and mapping must amount to."""

    def linear(self, names):
        plain = super().linear(names)
        return Int8Linear(Int8Weight.of(plain.weight), plain.bias)

    def embedding(self):
        name = "lm_head" if self.config.tied_embedding else "embed_tokens"
        table = Int8Weight.of(self._tensors[f"{name}.weight"])
        return lambda ids: table.values[ids] * table.scale[ids, None]


@pytest.fixture
def packed(reference, tmp_path):
    def write(tied=False, report=ignore):
        base = reference(tied=tied)
        folder = tmp_path / "packed" / "model"
        pack(folder, tiny.config_of(base), tiny.vocabulary(), tiny.tensors_of(base), report)
        return folder

    return write


@pytest.mark.parametrize("tied", [False, True])
def test_packed_weights_are_the_quantised_ones(reference, packed, tied):
    fractions = []
    weights = PackedWeights(packed(tied, fractions.append))
    base = reference(tied=tied)
    config, tensors = tiny.config_of(base), tiny.tensors_of(base)
    assert weights.config == config
    assert weights.vocabulary == tiny.vocabulary()
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 and fractions[-1] < 1

    got, expected = Transformer(weights), Transformer(Quantised(config, tensors))
    logits = [m.logits(m.encode(IDS, m.new_cache(len(IDS)))) for m in (got, expected)]
    assert torch.equal(*logits)


@pytest.mark.parametrize("tied", [False, True])
def test_the_embedding_gives_the_rows_of_its_matrix(reference, packed, tied):
    base = reference(tied=tied)
    rows = PackedWeights(packed(tied)).embedding()(torch.tensor(IDS))
    expected = base.model.embed_tokens.weight[IDS]
    assert rows.dtype == torch.float32
    assert ((rows - expected).abs() <= expected.abs().amax(1, keepdim=True) / 253).all()


def test_an_interrupted_pack_leaves_nothing(packed, tmp_path):
    def interrupt(fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        packed(report=interrupt)
    assert list((tmp_path / "packed").iterdir()) == []


def test_an_interrupted_pack_leaves_the_old_folder(packed):
    def interrupt(fraction):
        raise KeyboardInterrupt

    folder = packed()
    with pytest.raises(KeyboardInterrupt):
        packed(report=interrupt)
    assert PackedWeights(folder).vocabulary == tiny.vocabulary()
    assert list(folder.parent.iterdir()) == [folder]


def test_packing_replaces_a_damaged_folder(packed):
    folder = packed()
    (folder / "model.json").write_text("{}")
    (folder / "stray").write_text("")
    assert {p.name for p in packed().iterdir()} == {"model.json", "weights.safetensors"}


def test_a_place_that_cannot_be_written_is_told(packed, tmp_path):
    (tmp_path / "packed").write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="could not be written"):
        packed()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"format": 1, "config": {}, "vocabulary": {}}']
)
def test_a_damaged_description_is_refused(packed, content):
    folder = packed()
    (folder / "model.json").write_text(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        PackedWeights(folder)


def test_another_format_is_refused(packed):
    folder = packed()
    data = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(data | {"format": 99}))
    with pytest.raises(CheckpointError, match="has format 99, not"):
        PackedWeights(folder)


@pytest.mark.parametrize("size", [0, 7, 500, -1])
def test_damaged_weights_are_refused(packed, size):
    path = packed() / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="is damaged"):
        PackedWeights(path.parent)


def test_a_missing_file_is_told(packed):
    folder = packed()
    (folder / "weights.safetensors").unlink()
    with pytest.raises(CheckpointError, match="is damaged"):
        PackedWeights(folder)
