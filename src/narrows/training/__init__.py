"""How a model is trained: batches, steps, epochs, resumption."""
