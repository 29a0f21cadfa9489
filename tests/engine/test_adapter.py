import pytest
import tiny
from safetensors.torch import save_file

from engine.adapter import load_adapter
from engine.errors import CheckpointError


@pytest.fixture
def model(reference):
    return tiny.transformer(reference())


@pytest.fixture
def tensors(model):
    return tiny.adapter_tensors(model.config)


def test_the_base_must_be_the_one_it_was_trained_on(model, tensors, tmp_path):
    path = tiny.write_adapter(tmp_path / "a.safetensors", tensors)
    with pytest.raises(CheckpointError, match=r"a\.safetensors was trained on another base"):
        load_adapter(model, path, "other")
    assert not model.has_adapter


@pytest.mark.parametrize(
    "name",
    ["mask_embedding", "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight"],
)
def test_a_missing_tensor_is_named(model, tensors, tmp_path, name):
    del tensors[name]
    path = tiny.write_adapter(tmp_path / "a.safetensors", tensors)
    with pytest.raises(CheckpointError, match=name):
        load_adapter(model, path, "base")
    assert not model.has_adapter


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_a_damaged_file_is_refused(model, tensors, tmp_path, size):
    path = tiny.write_adapter(tmp_path / "a.safetensors", tensors)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="not a canvas adapter"):
        load_adapter(model, path, "base")


@pytest.mark.parametrize("metadata", [{}, {"scale": "much"}])
def test_a_scale_is_needed(model, tensors, tmp_path, metadata):
    path = tmp_path / "a.safetensors"
    save_file(tensors, path, {"base_sha256": "base"} | metadata)
    with pytest.raises(CheckpointError, match=r"scale|much"):
        load_adapter(model, path, "base")


def test_a_missing_file_is_told(model, tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.safetensors"):
        load_adapter(model, tmp_path / "gone.safetensors", "base")
