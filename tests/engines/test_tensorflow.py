"""Keras' own layers, and TensorFlow's traps."""

from __future__ import annotations

import numpy as np
import pytest

from gradproof.engines.tensorflow import ENGINE


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_keras_layers_run_in_the_dtype(dtype: str) -> None:
    def layers(tf, x, W, b):
        dense = tf.keras.layers.Dense(
            4,
            kernel_initializer=tf.constant_initializer(W.numpy()),
            bias_initializer=tf.constant_initializer(b.numpy()),
        )
        return {"z": dense(x)}

    random = np.random.default_rng(0)
    x, W, b = random.normal(size=(5, 3)), random.normal(size=(3, 4)), random.normal(size=4)
    result = ENGINE.native(layers, {"x": x, "W": W, "b": b}, "loss", dtype).values
    assert result["z"].dtype == np.dtype(dtype)
    assert np.allclose(result["z"], x @ W + b, rtol=0, atol=16 * float(np.finfo(dtype).eps))
