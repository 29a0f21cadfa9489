"""Read a checkpoint folder as published on the hub: config.json, safetensors shards, a tokenizer.

Shards are memory-mapped: a tensor is read when its layer is built, and what is not converted stays
in the mapped file. Nothing that could run is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import CheckpointError
from engine.families import OpenFamily
from engine.recognition import config_of, read_json
from engine.tokenizer import Buildable, TokenizerFile, Vocabulary

_INDEX = "model.safetensors.index.json"
# What old files keep besides the weights, and the transformer computes by itself.
_COMPUTED = (".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias")
_HEAD = "lm_head.weight"


class CheckpointFolder(Mapping[str, Tensor]):
    """The tensors of a folder under our names, as they are stored; `config` and tokenizer besides.

    Raises:
        CheckpointError: if a file is missing or damaged, or naming the tensor that is missing, of
            another size or type, or unknown.
    """

    def __init__(self, path: Path, family: OpenFamily) -> None:
        self.path = path
        self._files = ExitStack()
        self._shards: dict[str, Any] = {}  # the open file of each tensor, by their name
        for shard in _shards(path):
            try:
                file = self._files.enter_context(safe_open(shard, "pt"))
                self._shards |= dict.fromkeys(file.keys(), file)
            except (SafetensorError, OSError) as error:
                raise CheckpointError(
                    f"{shard} is damaged or no safetensors file: {error}"
                ) from error
        tied = family.shape.tensors[_HEAD] not in self._shards or (
            read_json(path / "config.json").get("tie_word_embeddings") is True
        )
        self.config = config_of(path, family, tied=tied)
        self._stored = family.shape.stored(self.config)
        self._check(family.shape.tensors[_HEAD], family.shape.ignored)

    def __getitem__(self, name: str) -> Tensor:
        found = self._stored[name]
        if found.expert is not None:  # a view: what is mapped stays so
            tensor = self._shards[found.name].get_tensor(found.name)[found.expert]
            tensor = tensor if found.rows is None else tensor[slice(*found.rows)]
        elif found.rows is None:
            tensor = self._shards[found.name].get_tensor(found.name)
        else:
            whole, rows = self._shards[found.name].get_slice(found.name), slice(*found.rows)
            tensor = whole[:, rows] if found.transposed else whole[rows]
        if found.transposed:
            tensor = tensor.T.contiguous()
        return tensor + found.plus if found.plus else tensor

    def __contains__(self, name: object) -> bool:
        return name in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def _check(self, head: str, ignored: tuple[str, ...]) -> None:
        """Compare what the files hold with what the configuration asks for; reads headers only."""
        for stored in self._stored.values():
            theirs = stored.name
            if theirs not in self._shards:
                raise CheckpointError(f"{self.path}: tensor {theirs!r} is missing")
            found = self._shards[theirs].get_slice(theirs)
            if (size := tuple(found.get_shape())) != stored.size:
                raise CheckpointError(
                    f"{self.path}: tensor {theirs!r} has size {size}, its configuration asks "
                    f"for {stored.size}"
                )
            if found.get_dtype() not in ("F32", "F16", "BF16"):
                raise CheckpointError(
                    f"{self.path}: tensor {theirs!r} is of type {found.get_dtype()}; only F32, "
                    "F16 and BF16 are read"
                )
        unknown = set(self._shards) - {stored.name for stored in self._stored.values()} - {head}
        unknown = {name for name in unknown if not name.startswith(ignored)}
        if unknown := {name for name in unknown if not name.endswith(_COMPUTED)}:
            raise CheckpointError(
                f"{self.path}: tensor {min(unknown)!r} and {len(unknown) - 1} more have no place "
                "in this shape"
            )

    def vocabulary(self) -> Buildable:
        """Return the tokenizer's data, from tokenizer.json or from vocab.json and merges.txt.

        Raises:
            CheckpointError: if there is neither, or one is damaged.
        """
        try:
            if (path := self.path / "tokenizer.json").is_file():
                return TokenizerFile(read_json(path))
            return self._byte_pairs()
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise CheckpointError(f"{self.path}: its tokenizer is damaged: {error!r}") from error

    def _byte_pairs(self) -> Vocabulary:
        path = self.path / "vocab.json"
        if not path.is_file():
            raise CheckpointError(f"{self.path} has neither tokenizer.json nor vocab.json")
        ids = read_json(path)
        try:
            lines = (self.path / "merges.txt").read_text("utf-8").splitlines()
        except OSError as error:
            raise CheckpointError(
                f"{self.path}/merges.txt cannot be read: {error.strerror}"
            ) from error
        merges = [line for line in lines if line and not line.startswith("#version")]
        added: dict[str, int] = {}
        if (extra := self.path / "added_tokens.json").is_file():
            added = {str(name): int(number) for name, number in read_json(extra).items()}
        settings = self.path / "tokenizer_config.json"
        if settings.is_file():
            for number, token in read_json(settings).get("added_tokens_decoder", {}).items():
                added[token["content"]] = int(number)
        tokens = sorted(ids, key=ids.__getitem__)
        if list(map(ids.__getitem__, tokens)) != list(range(len(tokens))):
            raise CheckpointError(f"{path}: its ids do not run from 0 without a gap")
        return Vocabulary(tokens, merges, added)


def _shards(folder: Path) -> list[Path]:
    """Return the folder's safetensors files: those of its index, else all there are."""
    if (path := folder / _INDEX).is_file():
        weights = read_json(path).get("weight_map")
        if not isinstance(weights, dict) or not all(isinstance(v, str) for v in weights.values()):
            raise CheckpointError(f"{path} has no table of weights")
        names = sorted(set(weights.values()))
        for name in names:
            if name != Path(name).name or not name.endswith(".safetensors"):
                raise CheckpointError(f"{path} names {name!r}, not a safetensors file beside it")
            if not (folder / name).is_file():
                raise CheckpointError(f"{folder}: the shard {name} is missing")
        return [folder / name for name in names]
    if found := sorted(folder.glob("*.safetensors")):
        return found
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt*")):
        raise CheckpointError(
            f"{folder} holds pickled weights, which can run code and are never loaded: "
            "convert them to safetensors"
        )
    raise CheckpointError(f"{folder} has no safetensors file")
