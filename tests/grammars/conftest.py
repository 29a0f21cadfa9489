"""Valid source in every language, and text as awkward as users' files are."""

import random
from collections.abc import Callable

import pytest

PYTHON = '''\
"""Täglich 🚀 geöffnet."""
import os

LIMIT = 10


class Queue:
    """Holds items."""

    def __init__(self, size):
        self.size = size
        self.items = []

    def push(self, item):
        if len(self.items) >= self.size:
            raise ValueError(f"voll: {self.size} é")
        self.items.append(item)
        return self


def total(prices):
    result = 0
    for price in prices:
        result += price * 2
    return result
'''

JAVASCRIPT = """\
import x from "y";
const limit = 10;

export class Queue {
  constructor(size) {
    this.size = size;
    this.items = [];
  }

  push(item) {
    if (this.items.length >= this.size) {
      throw new Error(`voll 🚀: ${this.size}`);
    }
    this.items.push(item);
    return this;
  }
}

const total = (prices) => {
  let result = 0;
  for (const price of prices) {
    result += price * 2;
  }
  return result;
};
"""

TYPESCRIPT = """\
interface Item {
  name: string;
  price: number;
}

export class Queue {
  private items: Item[] = [];

  push(item: Item): number {
    this.items.push(item);
    return this.items.length;
  }
}

function total(items: Item[]): number {
  let result = 0;
  for (const item of items) {
    result += item.price * 2;
  }
  return result;
}
"""

TSX = """\
export function View(props: { name: string }) {
  const title = props.name;
  const size = title.length;
  return <div className="große">{title} 🚀 {size}</div>;
}
"""

RUST = """\
struct Queue {
    size: usize,
    items: Vec<String>,
}

impl Queue {
    fn push(&mut self, item: String) -> Result<(), String> {
        if self.items.len() >= self.size {
            return Err(format!("voll 🚀: {}", self.size));
        }
        self.items.push(item);
        Ok(())
    }
}

fn total(prices: &[i32]) -> i32 {
    let mut result = 0;
    for price in prices {
        result += price * 2;
    }
    result
}
"""

GO = """\
package queue

import "fmt"

type Queue struct {
\tsize  int
\titems []string
}

func (q *Queue) Push(item string) error {
\tif len(q.items) >= q.size {
\t\treturn fmt.Errorf("voll 🚀: %d", q.size)
\t}
\tq.items = append(q.items, item)
\treturn nil
}

func Total(prices []int) int {
\tresult := 0
\tfor _, price := range prices {
\t\tresult += price * 2
\t}
\treturn result
}
"""

C = """\
#include <stdio.h>

struct queue {
    int size;
    char *items[10];
};

int push(struct queue *q, char *item)
{
    if (q->size >= 10) {
        printf("voll é: %d", q->size);
        return -1;
    }
    q->items[q->size] = item;
    q->size += 1;
    return 0;
}
"""

CPP = """\
#include <vector>

namespace shop {

template <class T>
class Queue {
public:
    explicit Queue(int size) : size_(size) {}

    int push(T item) {
        items_.push_back(item);
        size_ += 1;
        return size_;
    }

private:
    int size_;
    std::vector<T> items_;
};

}
"""

JAVA = """\
package a.b;

import java.util.List;

class Queue {
    private int count = 0;

    Queue(int count) {
        this.count = count;
    }

    int push(String item, List<String> items) {
        if (items.size() >= count) {
            throw new IllegalStateException("voll 🚀: " + count);
        }
        items.add(item);
        count += 1;
        return count;
    }
}
"""

_AWKWARD = ["", "a", "x = 1", "(", ")", "{", "}", '"', "    ", "\t", "\n", "\r\n", "\r"]
_AWKWARD += ["\f", "\u2028", "\x85", "é", "e\u0301", "語", "😀", "👨\u200d👩", "\ufeff", "\x0b"]


@pytest.fixture(scope="session")
def sources() -> dict[str, str]:
    """Valid source of every language id."""
    return {
        "python": PYTHON,
        "javascript": JAVASCRIPT,
        "javascriptreact": JAVASCRIPT,
        "typescript": TYPESCRIPT,
        "typescriptreact": TSX,
        "rust": RUST,
        "go": GO,
        "c": C,
        "cpp": CPP,
        "java": JAVA,
    }


@pytest.fixture(scope="session")
def awkward() -> Callable[[random.Random], str]:
    """Return a maker of short texts of mixed line ends, widths and scripts."""
    return lambda rng: "".join(rng.choices(_AWKWARD, k=rng.randrange(13)))
