"""The live view of a denoising step."""

from __future__ import annotations

from engine.canvas import Canvas
from engine.control import Control
from engine.denoise import DenoiseStep
from engine.protocol import Frame, FrameToken, TokenState
from engine.tokenizer import Tokenizer


def show_step(control: Control, tokenizer: Tokenizer, before: Canvas, step: DenoiseStep) -> None:
    """Send the canvas after a step, with the guesses where it is masked, to whoever watches."""
    if not control.on_frame:
        return
    after = step.canvas
    tokens: list[FrameToken] = []
    for i, (guess, p) in enumerate(zip(step.guess.tolist(), step.sureness.tolist(), strict=True)):
        token = int(after.ids[i])
        if after.masked[i]:
            state, token = TokenState.PROVISIONAL, guess
        elif not before.masked[i] and int(before.ids[i]) != token:
            state = TokenState.REVISED
        else:
            state = TokenState.COMMITTED
        if token != after.void:
            tokens.append(FrameToken(tokenizer.decode([token]), state, p))
    control.on_frame(Frame(control.span, control.steps, tuple(tokens), control.draft))
