"""task0: take a text apart into its words, one to a line, in lower case."""

import os
import re

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
"""Letters of any alphabet; an apostrophe only between letters ("don't" is one word)."""


def task(file, pathin, pathout):
    """One text in, one list of words out. Its FLAG is true: task1 and task2 both get the list."""
    with open(os.path.join(pathin, file), encoding="utf-8") as text:
        words = WORD.findall(text.read().lower())
    # By Jupiter's convention an output begins with the key of its job, which is the input's name up to the first
    # "_", else up to the first ".": files that belong together are found by it.
    key = file.split("_")[0].split(".")[0]
    output = os.path.join(pathout, f"{key}_words.txt")
    with open(output, "w", encoding="utf-8") as lines:
        lines.writelines(f"{word}\n" for word in words)
    return [output]
