"""Training the canvas adapter: the corpus, the holes, the trainer. Inference imports none of it."""
