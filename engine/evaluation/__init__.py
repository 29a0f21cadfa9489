"""How good fills and rewrites are: cases, decoders, a sandbox for their tests, scores, a report."""
