"""Prices of a shopping basket, in cents."""

from dataclasses import dataclass


@dataclass
class Item:
    """One line of a receipt."""

    name: str
    cents: int
    count: int = 1


def total(items: list[Item]) -> int:
    """Return what all items cost together."""
    result = 0
    for item in items:
        result += item.cents * item.count
    return result


def most_expensive(items: list[Item]) -> Item:
    """Return the item with the highest cost, that is cents times count."""
    raise NotImplementedError


def names(items: list[Item]) -> list[str]:
    """Return the names of all items, the cheapest first."""
    return [item.name for item in sorted(items, key=lambda item: item.cents)]
