"""How bytes stand for numbers, messages and members: what several formats share."""
