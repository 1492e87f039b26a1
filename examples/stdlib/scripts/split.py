"""split: deal the modules out into equal shares."""

import io
import os
import tarfile

from parts import SHARES, key_of, sources


def task(file, pathin, pathout):
    """One archive in, eight out. FLAG is false: the i-th share goes to the i-th child alone."""
    modules = list(sources(os.path.join(pathin, file)))
    outputs = []
    for index, share in enumerate(deal(modules)):
        output = os.path.join(pathout, f"{key_of(file)}_share{index}.tar")
        with tarfile.open(output, "w") as archive:
            for name, source in share:
                member = tarfile.TarInfo(name)
                member.size = len(source)
                archive.addfile(member, io.BytesIO(source))
        outputs.append(output)
    print(f"{len(modules)} modules in {SHARES} shares")
    return outputs


def deal(modules):
    """Always the longest that is left to the lightest share: no share is then far from the mean."""
    shares = [[] for _ in range(SHARES)]
    weights = [0] * SHARES
    for name, source in sorted(modules, key=lambda module: (-len(module[1]), module[0])):
        lightest = weights.index(min(weights))
        shares[lightest].append((name, source))
        weights[lightest] += len(source)
    return shares
