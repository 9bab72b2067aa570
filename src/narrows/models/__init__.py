"""What is trained: autoencoders, and the baselines that they have to beat."""
