"""Whole answers, as a user gets them: cold and warm fills, and rewrites, every engine in turn."""

from __future__ import annotations

from functools import partial

from engine.evaluation.cases import Case
from engine.evaluation.edits import EditTask
from tests.benchmarks.cases import changed, fill_cases, rewrite_tasks
from tests.benchmarks.contenders import Answer, Contender
from tests.benchmarks.prompts import edit_prompt, fill_prompt
from tests.benchmarks.suite import Loaded, Suite


async def fills(suite: Suite, loaded: Loaded) -> None:
    """Fill each case cold, with no context kept; then warm, just after the same fill."""
    sets = fill_cases(suite.options.files, suite.options.cases)
    for heat in ("cold", "warm"):
        is_warm = heat == "warm"
        async with suite.contenders(f"{heat} fills", loaded, keeps_contexts=is_warm) as everyone:
            for name, cases in sets.items():
                for number, case in enumerate(cases, 1):
                    suite.tell(f"fills, {heat}, {name}: {number} of {len(cases)}")
                    fill = partial(_fill, case, is_warm)
                    if is_warm:
                        await suite.ask(fill, everyone)
                    for run in range(suite.options.runs):
                        for contender, answer in await suite.ask(fill, everyone):
                            suite.add(
                                part="fills",
                                what=f"{heat}, {name}",
                                case=case.id,
                                run=run,
                                engine=contender.name,
                                seconds=answer.seconds,
                                tokens=len(loaded.tokenizer.encode(answer.text)),
                                floor_s=_floor_of_fill(loaded, case, answer),
                            )


async def rewrites(suite: Suite, loaded: Loaded) -> None:
    """Rewrite each task, cold."""
    async with suite.contenders("rewrites", loaded, keeps_contexts=False) as everyone:
        for name, tasks in rewrite_tasks(loaded.tokenizer, suite.options.cases).items():
            for number, task in enumerate(tasks, 1):
                suite.tell(f"rewrites, {name}: {number} of {len(tasks)}")
                for run in range(suite.options.runs):
                    for contender, answer in await suite.ask(partial(_rewrite, task), everyone):
                        old = task.span.of(task.text)
                        new = answer.text
                        suite.add(
                            part="rewrites",
                            what=name,
                            case=task.id,
                            run=run,
                            engine=contender.name,
                            seconds=answer.seconds,
                            tokens=len(loaded.tokenizer.encode(new)),
                            changed=changed(loaded.tokenizer, old, new) if new else None,
                            floor_s=_floor_of_rewrite(loaded, task, answer),
                        )


async def _fill(case: Case, keep: bool, contender: Contender) -> Answer:
    return await contender.fill(case, keep=keep)


async def _rewrite(task: EditTask, contender: Contender) -> Answer:
    return await contender.rewrite(task)


def _floor_of_fill(loaded: Loaded, case: Case, answer: Answer) -> float | None:
    prompt = fill_prompt(loaded.tokenizer, loaded.family, case)
    return _floor(loaded, len(prompt.ids) - 1, answer, adapted=loaded.model.has_adapter)


def _floor_of_rewrite(loaded: Loaded, task: EditTask, answer: Answer) -> float | None:
    prompt = edit_prompt(loaded.tokenizer, loaded.family, task)
    return _floor(loaded, len(prompt.ids) - 1, answer, adapted=False)


def _floor(loaded: Loaded, context: int, answer: Answer, *, adapted: bool) -> float | None:
    """Return the floor of the passes that the engine made, None where it tells of none."""
    if not answer.forward_calls:
        return None
    return loaded.floor.answer(context, answer.forward_calls, answer.steps, adapted=adapted)
