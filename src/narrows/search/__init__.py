"""Optuna: studies, their trials and what got better."""
