"""The operators of a model's graph, as its file has them: what they are, what they take, and how much work they are."""
