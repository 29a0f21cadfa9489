"""The denoising engine: canvas, models, decoding, candidates, and the process that runs them.

Torch-free, for clients: `client`, `protocol`, `errors`, `catalogue`, `fetch`. Everything else lives
in the engine process.
"""

__version__ = "0.1.0"
