"""How good the fills are, measured: cases, decoders, a sandbox for the tests, scores, a report."""
