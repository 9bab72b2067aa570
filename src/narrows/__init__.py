"""narrows: experiment-tracked autoencoders and deep clustering."""
