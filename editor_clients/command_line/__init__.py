"""The command line, and the one place that starts every part: it may import any layer, lazily."""
