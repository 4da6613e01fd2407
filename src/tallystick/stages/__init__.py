"""The stages, one verb a module: each reads what a decision needs and carries the decision out."""
