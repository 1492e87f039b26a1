"""task1: how often does each word occur?"""

import collections
import os


def task(file, pathin, pathout):
    """One list of words in; out, a line `word<TAB>count` for each, the most frequent first."""
    with open(os.path.join(pathin, file), encoding="utf-8") as lines:
        counts = collections.Counter(lines.read().split())
    key = file.split("_")[0]
    output = os.path.join(pathout, f"{key}_counts.txt")
    with open(output, "w", encoding="utf-8") as table:
        table.writelines(
            f"{word}\t{count}\n" for word, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        )
    return [output]
