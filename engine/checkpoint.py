"""Read a GGUF file: its shape, its weights one at a time, its tokenizer.

Only GGUF and (for adapters) safetensors are read: plain data, nothing that can run.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.errors import CheckpointError
from engine.shape import size_of
from engine.shapes import LLAMA, QWEN2
from engine.tokenizer import Vocabulary

_LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTER_NAMES = {
    "embed_tokens.weight": "token_embd.weight",
    "norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
# The shape, and whether the converter reorders the rows of query and key.
_ARCHITECTURES = {
    "qwen2": (QWEN2, False),
    "dream": (QWEN2, False),
    "llama": (LLAMA, True),
    "llada": (LLAMA, True),
}
_ROWS = 512  # dequantised at a time, which makes several copies of them
_CONTROL, _UNUSED = 3, 5  # GGUF token types: special tokens, padding rows


class Checkpoint:
    """An open GGUF file of a Qwen2- or Llama-shaped model (Dream, LLaDA), memory-mapped.

    Raises:
        CheckpointError: if the file is not GGUF, is damaged, or has another architecture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._reader = gguf.GGUFReader(path)
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
        except Exception as error:  # the reader checks little: anything may come out of a bad file
            raise CheckpointError(f"{path} is not a GGUF file, or is damaged: {error}") from error
        self._tensors = {t.name: t for t in self._reader.tensors}
        self.architecture = str(self._field("general.architecture"))
        if self.architecture not in _ARCHITECTURES:
            known = ", ".join(_ARCHITECTURES)
            raise CheckpointError(
                f"{path} holds a {self.architecture!r} model; the shapes that are known: {known}"
            )
        self.config = self._config()

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the weights by their usual names, each read when asked for.

        Raises:
            CheckpointError: naming the tensor that is missing, of another size, or unknown.
        """
        shape, _ = _ARCHITECTURES[self.architecture]
        names = {name: self._source(name) for name in shape.stored(self.config)}
        for name, source in names.items():
            if source not in self._tensors:
                raise CheckpointError(f"{self.path}: tensor {source!r} is missing")
            found, wanted = self._tensors[source].shape.tolist()[::-1], size_of(name, self.config)
            if tuple(found) != wanted:
                raise CheckpointError(
                    f"{self.path}: tensor {source!r} has size {tuple(found)}, its fields ask for "
                    f"{wanted}"
                )
        if unknown := set(self._tensors) - set(names.values()):
            raise CheckpointError(
                f"{self.path}: tensor {min(unknown)!r} and {len(unknown) - 1} more have no place "
                "in this shape"
            )
        return _Tensors(self, names)

    def _source(self, name: str) -> str:
        """Return what the file calls one of our tensors."""
        if name == "lm_head.weight" and "output.weight" not in self._tensors:
            return "token_embd.weight"
        if name in _OUTER_NAMES:
            return _OUTER_NAMES[name]
        _, layer, part = name.split(".", 2)
        part, _, kind = part.rpartition(".")
        return f"blk.{layer}.{_LAYER_NAMES[part]}.{kind}"

    def vocabulary(self) -> Vocabulary:
        """Return the tokenizer's data.

        Raises:
            CheckpointError: if it is not byte-level BPE.
        """
        if self._field("tokenizer.ggml.model") != "gpt2":
            raise CheckpointError(f"{self.path}: its tokenizer is not byte-level BPE")
        tokens: list[str] = self._field("tokenizer.ggml.tokens")
        kinds: list[int] = self._field("tokenizer.ggml.token_type")
        special = {tokens[i]: i for i, kind in enumerate(kinds) if kind == _CONTROL}
        unused = sum(k == _UNUSED for k in kinds)
        merges: list[str] = self._field("tokenizer.ggml.merges")
        return Vocabulary(tokens[: len(tokens) - unused], merges, special)

    def tensor(self, name: str) -> Tensor:
        """Return a tensor by its GGUF name: floats as they are mapped, else float32.

        Raises:
            CheckpointError: if the file lacks it or cuts it short.
        """
        found = self._tensors.get(name)
        if found is None:
            raise CheckpointError(f"{self.path}: tensor {name!r} is missing")
        try:
            tensor = _floats(found)
        except (ValueError, NotImplementedError) as error:
            raise CheckpointError(f"{self.path}: tensor {name!r}: {error}") from error
        _, is_reordered = _ARCHITECTURES[self.architecture]
        if is_reordered and name.endswith(("attn_q.weight", "attn_k.weight")):
            heads = self.config.num_heads if "attn_q" in name else self.config.num_kv_heads
            tensor = _unpermute(tensor, heads)
        return tensor

    def _field(self, name: str) -> Any:
        field = self._reader.fields.get(name)
        if field is None:
            raise CheckpointError(f"{self.path}: field {name!r} is missing")
        try:
            return field.contents()
        except ValueError as error:  # text that is not UTF-8
            raise CheckpointError(f"{self.path}: field {name!r} is damaged: {error}") from error

    def _is_tied(self) -> bool:
        """Tell whether output and embedding matrix are one, quantised in two ways.

        Where they are, the output matrix serves both: it is kept in more bits.
        """
        if "output.weight" not in self._tensors:
            return True
        some = [
            torch.tensor(gguf.quants.dequantize(t.data[:64], t.tensor_type))
            for t in (self._tensors["output.weight"], self._tensors["token_embd.weight"])
        ]
        return bool((torch.cosine_similarity(*some, dim=-1) > 0.98).all())

    def _config(self) -> ModelConfig:
        def number(name: str) -> Any:
            value = self._field(f"{self.architecture}.{name}")
            if not isinstance(value, int | float) or not value > 0:
                raise CheckpointError(
                    f"{self.path}: field {name!r} is {value!r}, not a number above 0"
                )
            return value

        heads = number("attention.head_count")
        return ModelConfig(
            num_layers=number("block_count"),
            width=number("embedding_length"),
            num_heads=heads,
            num_kv_heads=number("attention.head_count_kv"),
            head_dim=number("embedding_length") // heads,
            mlp_width=number("feed_forward_length"),
            vocab_size=len(self._field("tokenizer.ggml.tokens")),
            rope_theta=number("rope.freq_base"),
            norm_eps=number("attention.layer_norm_rms_epsilon"),
            max_positions=number("context_length"),
            tied_embedding=self._is_tied(),
        )


class _Tensors(Mapping[str, Tensor]):
    """A checkpoint's tensors under the names models are published with."""

    def __init__(self, checkpoint: Checkpoint, names: Mapping[str, str]) -> None:
        self._checkpoint, self._names = checkpoint, names

    def __getitem__(self, name: str) -> Tensor:
        return self._checkpoint.tensor(self._names[name])

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _floats(found: gguf.ReaderTensor) -> Tensor:
    """Return numbers a tensor's own size: a view where there are floats in the file."""
    match found.tensor_type:
        case gguf.GGMLQuantizationType.F32 | gguf.GGMLQuantizationType.F16:
            return _mapped(found.data)
        case gguf.GGMLQuantizationType.BF16:
            return _mapped(found.data.view(np.int16)).view(torch.bfloat16)
        case kind:
            tensor = torch.empty(found.shape.tolist()[::-1])
            for start in range(0, len(tensor), _ROWS):
                rows = gguf.quants.dequantize(found.data[start : start + _ROWS], kind)
                tensor[start : start + _ROWS] = torch.from_numpy(rows)
            return tensor


def _mapped(array: np.ndarray[Any, Any]) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it cannot be written to: nobody does
        return torch.from_numpy(array)


def _unpermute(weight: Tensor, heads: int) -> Tensor:
    """Undo the converter's reordering of rotary rows."""
    rows, width = weight.shape
    return weight.view(heads, rows // heads // 2, 2, width).transpose(1, 2).reshape(rows, width)
