"""What loading takes besides the mapped file: a 16 GB checkpoint whose shards are sparse files."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import published
import pytest

from engine.families import NAMED

SHARDS = 4
LOAD = """
import re, sys, threading
from pathlib import Path
from engine.catalogue import resolve_local
from engine.loading import load_model

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e6

done, peak = threading.Event(), [0.0]
def look():
    while not done.wait(0.005):
        peak[0] = max(peak[0], anonymous())
watcher = threading.Thread(target=look)
watcher.start()
model, tokenizer = load_model(resolve_local(sys.argv[1]), lambda *_: None, None)
done.set()
watcher.join()
print(max(peak[0], anonymous()), len(model.layers))
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


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_checkpoint_stays_in_its_file(tmp_path, monkeypatch):
    family = NAMED["llada"]
    published_one = family.models[0]
    folder = published.write(tmp_path, "llada", published.reference("llama"))
    (folder / "model.safetensors").unlink()
    config = json.loads((folder / "config.json").read_text()) | dict(published_one.config)
    (folder / "config.json").write_text(json.dumps(config | {"mask_token_id": 5}))
    stored = family.shape.stored(family.shape.config(published_one.config, tied=False))
    tensors = [(found.name, found.size) for found in stored.values()]
    for i in range(SHARDS):
        name = f"model-{i + 1:05}-of-{SHARDS:05}.safetensors"
        sparse(folder / name, tensors[i::SHARDS])
    total = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert total > 16.0e9
    monkeypatch.setenv("DIFFILL_PRECISION", "bfloat16")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)], capture_output=True, text=True, check=True
    )
    gigabytes, layers = done.stdout.split()
    assert int(layers) == 32
    assert float(gigabytes) < 2.0
    print(f"{total / 1e9:.1f} GB loaded, {gigabytes} GB beside the file")
