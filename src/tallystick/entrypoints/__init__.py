"""How people and programs come in: each turns a request into a stage's call, and shows it."""
