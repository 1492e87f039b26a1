"""task2: how long are the words?"""

import collections
import os


def task(file, pathin, pathout):
    """One list of words in; out, a line `letters<TAB>count` for each length, the shortest first."""
    with open(os.path.join(pathin, file), encoding="utf-8") as lines:
        lengths = collections.Counter(len(word) for word in lines.read().split())
    key = file.split("_")[0]
    output = os.path.join(pathout, f"{key}_lengths.txt")
    with open(output, "w", encoding="utf-8") as table:
        table.writelines(f"{letters}\t{count}\n" for letters, count in sorted(lengths.items()))
    return [output]
