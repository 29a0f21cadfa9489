"""What every training run needs: it stops between steps, keeps its state, and writes a log."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import CheckpointError, ConfigError

_ADAM = ("step", "exp_avg", "exp_avg_sq")


@contextmanager
def stop_signals() -> Generator[Callable[[], bool]]:
    """Turn SIGTERM and Ctrl-C into a wish to stop after the present step."""
    caught: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {n: signal.signal(n, lambda number, _: caught.append(number)) for n in numbers}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log_row(file: Path, row: Mapping[str, Any]) -> None:
    """Print a row as JSON, and add it to the log."""
    line = json.dumps(row)
    print(line, flush=True)  # noqa: T201
    with file.open("a", encoding="utf-8") as log:
        log.write(line + "\n")


def save_state(
    path: Path,
    recipe: Any,
    progress: Any,
    values: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    **others: Tensor,
) -> None:
    """Write a run's whole state, whole or not at all; recipe and progress are dataclasses."""
    tensors = {f"value.{n}": t.detach() for n, t in values.items()}
    tensors |= {f"average.{n}": t for n, t in average.items()} | others
    for name, parameter in values.items():
        for key, value in optimiser.state[parameter].items():
            tensors[f"adam.{key}.{name}"] = value
    partial = path.with_name(".state.partial")
    ready = {n: t.cpu().contiguous() for n, t in tensors.items()}
    facts = {"recipe": asdict(recipe), "progress": asdict(progress)}
    save_file(ready, partial, {"run": json.dumps(facts)})
    partial.replace(path)


@torch.no_grad()
def restore_state(
    path: Path,
    recipe: Any,
    values: Mapping[str, Tensor],
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    *others: str,
) -> tuple[dict[str, Any], list[Tensor]]:
    """Read a run's state into what it is made of; return its progress and the other tensors.

    Raises:
        ConfigError: if the folder holds a run with another recipe.
        CheckpointError: if the file is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["run"])
            own, kept = asdict(recipe), facts["recipe"]
            if kept.keys() != own.keys():
                raise ConfigError(f"{path.parent} holds a run of another kind")
            if kept != own:
                differing = [f"{k} {v!r}, not {own[k]!r}" for k, v in kept.items() if v != own[k]]
                raise ConfigError(
                    f"{path.parent} holds a run with {', '.join(differing)}: "
                    "give its own settings, or another folder"
                )
            names = set(file.keys())
            for name, parameter in values.items():
                parameter.copy_(file.get_tensor(f"value.{name}"))
                average[name] = file.get_tensor(f"average.{name}").to(parameter.device)
                optimiser.state[parameter] = {
                    key: file.get_tensor(full).to("cpu" if key == "step" else parameter.device)
                    for key in _ADAM
                    if (full := f"adam.{key}.{name}") in names
                }
            return facts["progress"], [file.get_tensor(name) for name in others]
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
