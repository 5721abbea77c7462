"""The data of an exported file's check: exact numbers, the same on every machine.

These functions are written into the files, too: `inspect` takes their text from here.
"""

import numpy as np


def draw(number, shape):
    """Numbers of 16 bits in [-1, 1), exact in every dtype from float32 on."""
    k = np.arange(int(np.prod(shape)), dtype=np.int64) + 977 * number
    return ((20011 * k * k + 7919 * k) % 65521 / 32768 - 1).reshape(shape)


def positive(number, shape):
    """Numbers in [0.25, 2.25)."""
    return draw(number, shape) + 1.25


def probabilities(number, shape):
    """Rows that add up to exactly 1."""
    p = (draw(number, shape) + 1.5) / 2 ** (2 + int(shape[-1]).bit_length())
    p[..., -1] = 1 - np.sum(p[..., :-1], axis=-1)
    return p


def positions(number, shape, size):
    """Whole numbers from 0 to size - 1; some stand twice."""
    k = np.arange(int(np.prod(shape)), dtype=np.int64)
    return ((3 * k * k + k + number) % size).reshape(shape)


def one_hot(number, shape):
    """Rows of zeros with a single 1."""
    return np.eye(shape[-1])[positions(number, shape[:-1], shape[-1])]
