"""Draw a run's log as a picture: training loss and held-out figures over the steps."""

from __future__ import annotations

import json
from pathlib import Path

from engine.errors import ConfigError


def draw(log: Path, picture: Path) -> None:
    """Write the curves of a log as PNG.

    Raises:
        ConfigError: if the log is empty, or matplotlib is not there (extra `training`).
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("drawing needs matplotlib: pip install '.[training]'") from error
    rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    train = [row for row in rows if "loss" in row]
    held = [row for row in rows if "held" in row]
    if not train:
        raise ConfigError(f"{log} has no training steps yet")
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    losses, leads = figure.subplots(1, 2)
    losses.plot([r["step"] for r in train], [r["loss"] for r in train], label="training")
    steps = [r["step"] for r in held]
    for name, label in (("parallel", "held out, all masked"), ("causal", "held out, causal")):
        losses.plot(steps, [r["held"][name] for r in held], "o-", label=label)
    for name, label in (("lead", "all masked"), ("causal_lead", "causal")):
        leads.plot(steps, [r["held"][name] for r in held], "o-", label=label)
    losses.set(xlabel="step", ylabel="nats a token")
    leads.set(xlabel="step", ylabel="right tokens before the first wrong one", ylim=(0, None))
    losses.legend()
    leads.legend()
    figure.savefig(picture, dpi=120)
