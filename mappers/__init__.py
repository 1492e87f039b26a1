"""Who runs which task: pure functions of what a node believes (a View).

`catalogue.by_name` gives a mapper by its name; `imagine.imagine` tells the whole mapping one would make now.
"""
