"""What loading takes besides the mapped file: a 16 GB checkpoint whose shards are sparse files."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import published
import pytest

from engine.config import Precision
from engine.families import NAMED
from engine.footprint import footprint

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SHARDS = 4
LOAD = """
import ctypes, gc, re, sys, threading
from pathlib import Path
from engine.catalogue import resolve_local
from engine.loading import load_model

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e6

done, peak = threading.Event(), [0.0]
def look():
    while not done.wait(0.005):
        peak[0] = max(peak[0], anonymous())
watcher = threading.Thread(target=look, daemon=True)
watcher.start()
model, tokenizer = load_model(resolve_local(sys.argv[1]), lambda *_: None, None)
done.set()
watcher.join()
gc.collect()
ctypes.CDLL(None).malloc_trim(0)  # what the allocator holds for later is not kept by the model
print(peak[0], anonymous(), len(model.layers))
"""


def sparse(path, tensors):
    """A safetensors file of zeros that takes no room on the disk."""
    header, end = {}, 0
    for name, size in tensors:
        start, end = end, end + 2 * size[0] * (size[1] if len(size) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": size, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


def large(parent, layers):
    """LLaDA 8B with so many of its 32 layers; return its folder and its sizes."""
    family = NAMED["llada"]
    sizes = dict(family.models[0].config) | {"n_layers": layers}
    folder = published.write(parent, "llada", published.reference("llama"))
    (folder / "model.safetensors").unlink()
    config = json.loads((folder / "config.json").read_text()) | sizes
    (folder / "config.json").write_text(json.dumps(config | {"mask_token_id": 5}))
    read = family.shape.config(sizes, tied=False)
    tensors = [(found.name, found.size) for found in family.shape.stored(read).values()]
    for i in range(SHARDS):
        name = f"model-{i + 1:05}-of-{SHARDS:05}.safetensors"
        sparse(folder / name, tensors[i::SHARDS])
    return folder, footprint(family.shape, read)


def loaded(folder, precision, monkeypatch):
    """Load in a process of its own; return gigabytes at most and at the end, and the layers."""
    monkeypatch.setenv("DIFFILL_PRECISION", precision)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)], capture_output=True, text=True, check=True
    )
    most, end, layers = done.stdout.split()
    return float(most), float(end), int(layers)


@linux
def test_a_large_checkpoint_stays_in_its_file(tmp_path, monkeypatch):
    folder, _ = large(tmp_path, 32)
    total = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert total > 16.0e9
    most, _, layers = loaded(folder, Precision.BFLOAT16, monkeypatch)
    assert layers == 32
    assert most < 2.0
    print(f"{total / 1e9:.1f} GB loaded, {most} GB beside the file")


@linux
@pytest.mark.parametrize("precision", [p for p in Precision if p is not Precision.BFLOAT16])
def test_what_is_converted_is_so_piece_by_piece(tmp_path, monkeypatch, precision):
    """The largest matrices decide: one layer's and the output's, beside what is made of them."""
    folder, size = large(tmp_path, 1)
    most, end, _ = loaded(folder, precision, monkeypatch)
    assert most - end < 2.0
    assert end < size.bytes[precision] / 1e9
    print(f"{precision}: {most:.2f} GB at most, {end:.2f} at the end")
