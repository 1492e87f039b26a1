"""Simulated cryptography: the same shapes as the real port at a fraction of the cost.

A signature is a keyed hash; whoever verifies looks the secret up in a registry that all simulated nodes share. That
is as unforgeable as the simulation needs: a node can only sign with a seed that it holds.
"""

import hashlib


class SimulatedCrypto:
    """A `protocol.crypto.Crypto` for one simulated cluster."""

    def __init__(self) -> None:
        self._seeds: dict[bytes, bytes] = {}

    def public_key(self, seed: bytes) -> bytes:
        key = hashlib.blake2b(seed, digest_size=32, person=b"sim-key").digest()
        self._seeds[key] = seed
        return key

    def sign(self, seed: bytes, message: bytes) -> bytes:
        return hashlib.blake2b(message, digest_size=64, key=seed, person=b"sim-sign").digest()

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        seed = self._seeds.get(public_key)
        return seed is not None and self.sign(seed, message) == signature
