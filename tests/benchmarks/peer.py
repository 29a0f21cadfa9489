"""A peer in a process of its own: `python -m tests.benchmarks.peer NAME MODEL.gguf THREADS`.

It says one line of JSON when it is ready ({"about": …}), then answers each line {"ids",
"max_tokens", "stop", "keep"} with {"text", "tokens"}: greedily, until the model or `stop`
(`prompts.ending`) ends it; or it says why it ends, {"absent": a sentence}. With `keep` the context
of the last request is not computed again as far as the new one starts alike.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from engine.service import private_stdout
from tests.benchmarks.prompts import TO_THE_LIMIT, ending


class Peer(Protocol):
    """Another engine that decodes one token a pass."""

    about: str

    def generate(
        self, ids: list[int], max_tokens: int, stop: Mapping[str, Any], keep: bool
    ) -> tuple[str, int]:
        """Return the text that follows, and its number of tokens."""
        ...


class LlamaCpp:
    """llama.cpp on the same file, by the wheel of xllamacpp (extra `benchmark`)."""

    def __init__(self, model: Path, threads: int) -> None:
        import xllamacpp

        built, does = xllamacpp.BUILD_INFO, xllamacpp.get_system_info().strip(" |")
        self.about = (
            f"xllamacpp {xllamacpp.__version__}, its wheel as published: {built['compiler']}, "
            f"{built['build_target']}; {does}"
        )
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx = 8192
        params.n_parallel = 1
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.verbosity = -1
        self._server = xllamacpp.Server(params)

    def generate(
        self, ids: list[int], max_tokens: int, stop: Mapping[str, Any], keep: bool
    ) -> tuple[str, int]:
        """Return the text that follows, and its number of tokens."""
        has_ended = ending(stop)
        pieces: list[str] = []

        def receive(part: dict[str, Any]) -> bool:
            pieces.append(part["choices"][0]["text"])
            return has_ended("".join(pieces))

        request = {"prompt": ids, "max_tokens": max_tokens, "temperature": 0, "stream": True}
        request |= {"cache_prompt": keep, "ignore_eos": stop == TO_THE_LIMIT}
        self._server.handle_completions(request, receive)
        return "".join(pieces), len(pieces)


class Transformers:
    """`generate` of transformers on the weights of the same file, made floats again in memory."""

    def __init__(self, model: Path, threads: int) -> None:
        import torch
        import transformers

        from engine.catalogue import resolve_local
        from engine.checkpoint import Checkpoint
        from engine.tokenizer import Tokenizer

        torch.set_num_threads(threads)
        checkpoint = Checkpoint(model)
        has_bf16 = getattr(torch.cpu, "get_capabilities", dict[str, bool])().get("avx512_bf16")
        dtype = torch.bfloat16 if has_bf16 else torch.float32
        self._model = _qwen2(checkpoint, dtype)
        self._tokenizer = Tokenizer(checkpoint.vocabulary())
        family = resolve_local(str(model)).entry.family
        self._ends = [self._tokenizer.special(name) for name in family.ends]
        self._known: list[int] = []
        self._cache = transformers.DynamicCache()
        kind = str(dtype).removeprefix("torch.")
        self.about = f"transformers {transformers.__version__}, torch {torch.__version__}, {kind}"

    def generate(
        self, ids: list[int], max_tokens: int, stop: Mapping[str, Any], keep: bool
    ) -> tuple[str, int]:
        """Return the text that follows, and its number of tokens."""
        import torch
        from transformers import DynamicCache, StoppingCriteria, StoppingCriteriaList

        decode, has_ended = self._tokenizer.decode, ending(stop)

        class AtTheEnd(StoppingCriteria):
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                return torch.tensor([has_ended(decode(input_ids[0, len(ids) :].tolist()))])

        self._cache = self._kept(ids) if keep else DynamicCache()
        made = self._model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            past_key_values=self._cache,
            max_new_tokens=max_tokens,
            do_sample=False,
            eos_token_id=None if stop == TO_THE_LIMIT else self._ends,
            pad_token_id=0,
            stopping_criteria=StoppingCriteriaList([AtTheEnd()]),
        )[0].tolist()
        self._known = made[:-1]  # the last one has not been run
        return decode(made[len(ids) :]), len(made) - len(ids)

    def _kept(self, ids: list[int]) -> Any:
        """Return the last request's cache, cut to what the new one begins with."""
        pairs = enumerate(zip(self._known, ids[:-1], strict=False))
        shared = min(len(self._known), len(ids) - 1)
        shared = next((i for i, (known, new) in pairs if known != new), shared)
        if surplus := len(self._known) - shared:
            self._cache.crop(-surplus)
        return self._cache


def _qwen2(checkpoint: Any, dtype: Any) -> Any:
    """Build transformers' own class on a file's weights, without a copy beside them."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

    c = checkpoint.config
    config = Qwen2Config(
        vocab_size=c.vocab_size,
        hidden_size=c.width,
        intermediate_size=c.mlp_width,
        num_hidden_layers=c.num_layers,
        num_attention_heads=c.num_heads,
        num_key_value_heads=c.num_kv_heads,
        max_position_embeddings=c.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": c.rope_theta},
        rms_norm_eps=c.norm_eps,
        tie_word_embeddings=c.tied_embedding,
        bos_token_id=None,
        eos_token_id=None,
        dtype=dtype,
    )
    with torch.device("meta"):  # no random numbers first
        model = Qwen2ForCausalLM(config)
    tensors = checkpoint.tensors()
    state = {f"model.{n}" if n != "lm_head.weight" else n: tensors[n].to(dtype) for n in tensors}
    if c.tied_embedding:  # the file keeps the output's matrix in more bits
        state["model.embed_tokens.weight"] = state["lm_head.weight"]
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    model.model.rotary_emb = Qwen2RotaryEmbedding(config)  # its angles are in no file
    return model.eval().requires_grad_(False)


PEERS: Mapping[str, Callable[[Path, int], Peer]] = {
    "llama.cpp": LlamaCpp,
    "transformers": Transformers,
}


def main() -> None:
    """Serve."""
    name, model, threads = sys.argv[1:]
    sink = private_stdout()

    def say(message: Mapping[str, Any]) -> None:
        sink.write(json.dumps(message).encode() + b"\n")
        sink.flush()

    try:
        peer = PEERS[name](Path(model), int(threads))
    except ImportError as error:
        extra = "benchmark" if name == "llama.cpp" else "test"
        say({"absent": f"{name}: {error.name} is not installed: pip install '.[{extra}]'"})
        return
    except Exception as error:  # whatever a peer makes of the file, the others go on
        say({"absent": f"{name} does not load {model}: {error}"})
        return
    say({"about": peer.about})
    for line in sys.stdin:
        try:
            text, tokens = peer.generate(**json.loads(line))
        except Exception as error:
            say({"absent": f"{name} failed: {error}"})
            raise
        say({"text": text, "tokens": tokens})


if __name__ == "__main__":
    main()
