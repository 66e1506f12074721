"""Pictures for what compares them, and what a client makes of what it is told."""

import numpy as np

from kasmd.screen.geometry import Rect

WIDTH, HEIGHT = 200, 150


def pixels(height, width, seed, colours=256):
    return np.random.default_rng(seed).integers(0, colours, (height, width, 4), np.uint8)


def at(rect):
    return np.s_[rect.y:rect.bottom, rect.x:rect.right]


def applied(old, change, new):
    """What a client has that holds ``old`` and is told of ``change``."""
    client = old.copy()
    for move in change.moves:
        assert Rect(0, 0, old.shape[1], old.shape[0]).contains(move.source)
        client[at(move.target)] = client[at(move.source)].copy()
    for rect in change.region.rects:
        client[at(rect)] = new[at(rect)]
    return client
