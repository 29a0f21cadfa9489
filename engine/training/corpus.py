"""Build the adapter's corpus: `python -m engine.training.corpus OUT_DIR`.

Each package is fetched, cleaned and put aside by itself, so that a run which was stopped goes on
with the next one; then duplicates are dropped, packages held out and languages balanced.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from engine import catalogue
from engine.errors import ConfigError, EngineError, FetchError
from engine.training import cleaning, sources, splitting
from engine.training.duplicates import Duplicates

_HERE = Path(__file__).parent
_COLUMNS = ("name", "version", "licence", "languages", "files", "characters", "tokens", "split")

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a finished package depends on beside itself."""

    contamination: cleaning.Contamination
    count_tokens: CountTokens | None

    @property
    def folder(self) -> str:
        """Name the folder of packages finished under these settings."""
        counted = "tokens" if self.count_tokens else "characters"
        return f"packages-{cleaning.VERSION}-{counted}-{self.contamination.digest[:8]}"


def main(argv: Sequence[str] | None = None) -> int:
    """Build a corpus and return the exit code: 0 done, 2 wrong arguments, 3 no source to be had."""
    console = Console(stderr=True, highlight=False)
    try:
        args = _parser().parse_args(argv)
        build(args, console)
    except SystemExit as end:  # argparse: it has said why
        return end.code if isinstance(end.code, int) else 2
    except KeyboardInterrupt:
        console.print("corpus: interrupted; the same command goes on where it stopped")
        return 130
    except (EngineError, OSError) as error:
        console.print(f"corpus: {error}", markup=False)
        return 3 if isinstance(error, FetchError) else 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="corpus", description="Collect permissively licensed code to train the adapter on."
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT_DIR", help="train.jsonl and the rest go here"
    )
    parser.add_argument("--only", choices=("installed", "pinned"), help="one kind of source alone")
    parser.add_argument(
        "--sources", type=Path, default=_HERE / "sources.toml", help="the pinned packages"
    )
    parser.add_argument(
        "--contamination",
        type=Path,
        default=_HERE / "contamination.txt",
        help="hashes of the benchmarks' lines; a file with two of them is dropped",
    )
    parser.add_argument(
        "--tokenizer",
        metavar="MODEL",
        help="count tokens, too, with the tokenizer of this model: a GGUF file or a name of the "
        "catalogue (takes longer than all else)",
    )
    parser.add_argument(
        "--python-share", type=float, default=0.7, help="Python's share of the text (0.7)"
    )
    return parser


def build(args: argparse.Namespace, console: Console) -> None:
    """Build the corpus that the arguments describe.

    Raises:
        ConfigError: if an argument or a list is wrong.
        FetchError: if no source at all could be had.
    """
    out: Path = args.out
    if not 0 < args.python_share < 1:
        raise ConfigError(f"--python-share {args.python_share:g} must lie between 0 and 1")
    settings = Settings(
        cleaning.Contamination.read(args.contamination), _token_counter(args.tokenizer)
    )
    packages = _packages(args, out / "downloads")
    folder = out / settings.folder
    folder.mkdir(parents=True, exist_ok=True)
    finished: list[Path] = []
    with _progress(console) as progress:
        task = progress.add_task("cleaning", total=len(packages))
        for package in packages:
            progress.update(task, description=package.key)
            try:
                finished.append(_finish(package, folder, settings))
            except FetchError as error:
                console.print(f"skipped {package.name} {package.version}: {error}", markup=False)
            progress.advance(task)
    if not finished:
        raise FetchError("no source could be had; the reasons are above")
    _combine(finished, out, args.python_share, console)


def _packages(args: argparse.Namespace, downloads: Path) -> list[sources.Package]:
    try:
        toml = args.sources.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the list of sources {args.sources} cannot be read: {error}") from error
    pins = sources.pins(toml) if args.only != "installed" else []
    pinned = {sources.normalised(pin.name) for pin in pins if pin.registry == "pypi"}
    local = sources.installed() if args.only != "pinned" else []
    return [
        *(package for package in local if sources.normalised(package.name) not in pinned),
        *(pin.package(downloads) for pin in pins),
    ]


def _token_counter(model: str | None) -> CountTokens | None:
    if model is None:
        return None
    path = catalogue.find(model)
    if path is None:
        raise ConfigError(f"--tokenizer {model}: that model is not on this machine")
    from engine.checkpoint import Checkpoint  # torch: not for --help
    from engine.tokenizer import Tokenizer

    encode = Tokenizer(Checkpoint(path).vocabulary()).encode
    return lambda text: len(encode(text))


def _progress(console: Console) -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    return Progress(*columns, console=console, transient=True)


def _finish(package: sources.Package, folder: Path, settings: Settings) -> Path:
    """Write a package's clean files, after a line that says what was dropped; once."""
    target = folder / f"{package.key}.jsonl"
    if target.exists():
        return target
    dropped: Counter[str] = Counter()
    rows = list(_clean(package, settings, dropped))
    head = {"name": package.name, "version": package.version, "licence": package.licence}
    _write(target, [{**head, "dropped": dropped}, *rows])
    return target


def _clean(
    package: sources.Package, settings: Settings, dropped: Counter[str]
) -> Iterator[dict[str, Any]]:
    for path, read in package.files():
        if not cleaning.is_wanted(path):
            continue
        text = cleaning.decoded(read())
        if text is None:
            dropped["not UTF-8"] += 1
            continue
        language = cleaning.language_of(path, text)
        if reason := cleaning.fault(text, language, settings.contamination):
            dropped[reason] += 1
            continue
        tokens = settings.count_tokens(text) if settings.count_tokens else None
        yield {"path": path, "language": language, "tokens": tokens, "text": text}


def _combine(finished: Sequence[Path], out: Path, python_share: float, console: Console) -> None:
    heads: dict[str, dict[str, Any]] = {}
    files: dict[tuple[str, str], splitting.File] = {}
    seen, dropped = Duplicates(), Counter[str]()
    for path in finished:
        head, rows = _read(path)
        heads[head["name"]] = head
        dropped.update(head["dropped"])
        for row in rows:
            if reason := seen.check(row["text"]):
                dropped[reason] += 1
                continue
            file = splitting.File(head["name"], row["path"], row["language"], len(row["text"]))
            files[file.package, file.path] = file
    held = splitting.held_packages(list(files.values()))
    train = [file for file in files.values() if file.package not in held]
    balanced = splitting.balanced(train, python_share)
    dropped["too many of a language"] += len(train) - len(balanced)
    kept = {(f.package, f.path) for f in balanced} | {key for key in files if key[0] in held}

    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    languages: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def rows_of(is_held: bool) -> Iterator[dict[str, Any]]:
        for path in finished:
            head, rows = _read(path)
            name = head["name"]
            if (name in held) is not is_held:
                continue
            shared = {"package": name, "version": head["version"], "licence": head["licence"]}
            for row in rows:
                if (name, row["path"]) in kept:
                    tokens = row.pop("tokens")
                    counts[name] += Counter(
                        files=1, characters=len(row["text"]), tokens=tokens or 0
                    )
                    languages[name][row["language"]] += len(row["text"])
                    yield {**shared, **row}

    _write(out / "train.jsonl", rows_of(False))
    _write(out / "held.jsonl", rows_of(True))
    lines = ["\t".join(_COLUMNS)]
    for name in sorted(counts, key=lambda name: (name in held, -counts[name]["characters"])):
        head, count = heads[name], counts[name]
        known = [head["name"], head["version"], head["licence"]]
        spoken = ",".join(language for language, _ in languages[name].most_common())
        figures = [count["files"], count["characters"], count["tokens"] or ""]
        split = "held" if name in held else "train"
        lines.append("\t".join(map(str, [*known, spoken, *figures, split])))
    _replace(out / "manifest.tsv", "\n".join(lines) + "\n")
    _report(languages, held, dropped, console)


def _report(
    languages: dict[str, Counter[str]],
    held: frozenset[str],
    dropped: Counter[str],
    console: Console,
) -> None:
    for split, is_held in (("train", False), ("held", True)):
        mine = (size for name, size in languages.items() if (name in held) is is_held)
        sizes = sum(mine, Counter[str]())
        total = sum(sizes.values())
        console.print(f"{split}: {total / 1e6:.1f} million characters")
        for language, size in sizes.most_common():
            console.print(f"  {language:<16} {size / 1e6:7.1f}  {size / total:6.1%}")
    console.print("dropped files: " + ", ".join(f"{n} {why}" for why, n in dropped.most_common()))


def _read(path: Path) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    lines = _lines(path)
    return next(lines), lines


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _write(path: Path, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    # What has its own name is whole; another run on the same folder has partial files of its own.
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    partial.replace(path)


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
