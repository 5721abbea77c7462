"""A small GPT from embeddings to its loss: causal attention and an MLP, each after a LayerNorm.

Source: A. Radford et al., "Language models are unsupervised multitask learners" (2019), section
2.3, with tanh in the MLP; the backward pass piece by piece: K. Kafle, "Derivation of the gradient
of batch normalization" (2016), T. Dao et al., "FlashAttention", NeurIPS (2022), appendix B, and
I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), section 6.5.
Famous for getting wrong: one of the two paths around the layers left out; the triangle that masks
the scores left out of their gradient, or transposed; the paths through a LayerNorm's statistics.
Hides: one position hides the mask and all of attention; one sample hides that weights add up.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers
from gradproof.gallery.multi_head_attention import HEADS, by_heads, side_by_side


def forward(
    x: "n T 8",
    gamma1: "8",
    beta1: "8",
    Wq: "8 8",
    Wk: "8 8",
    Wv: "8 8",
    Wo: "8 8",
    gamma2: "8",
    beta2: "8",
    W1: "8 5",
    b1: "5",
    W2: "5 8",
    b2: "8",
    U: "8 4",
    Y: "n T 4, one-hot, data",
):
    m1 = np.mean(x, axis=2, keepdims=True)
    var1 = np.mean((x - m1) ** 2, axis=2, keepdims=True)
    s1 = np.sqrt(var1 + 1e-5)
    u1 = (x - m1) / s1
    y1 = gamma1 * u1 + beta1
    Q = y1 @ Wq
    K = y1 @ Wk
    V = y1 @ Wv
    q = by_heads(Q)
    k = by_heads(K)
    v = by_heads(V)
    S = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[3])
    A = np.tril(S) - 1e9 * np.triu(np.ones_like(S), 1)
    P = gp.softmax(A)
    o = P @ v
    O = side_by_side(o)
    r = x + O @ Wo
    m2 = np.mean(r, axis=2, keepdims=True)
    var2 = np.mean((r - m2) ** 2, axis=2, keepdims=True)
    s2 = np.sqrt(var2 + 1e-5)
    u2 = (r - m2) / s2
    y2 = gamma2 * u2 + beta2
    z = y2 @ W1 + b1
    a = np.tanh(z)
    h = r + a @ W2 + b2
    l = h @ U
    p = gp.softmax(l)
    return -np.sum(Y * np.log(p)) / (x.shape[0] * x.shape[1])


def backward(
    x, gamma1, Wq, Wk, Wv, Wo, gamma2, W1, W2, U, Y, s1, u1, y1, q, k, v, P, O, s2, u2, y2, a, h, p
):
    dl = (p - Y) / (x.shape[0] * x.shape[1])
    dU = _weight(h, dl)
    dh = dl @ U.T
    da = dh @ W2.T
    dW2 = _weight(a, dh)
    db2 = dh.sum(axis=(0, 1))
    dz = da * (1 - a**2)
    dy2 = dz @ W1.T
    dW1 = _weight(y2, dz)
    db1 = dz.sum(axis=(0, 1))
    dgamma2 = (dy2 * u2).sum(axis=(0, 1))
    dbeta2 = dy2.sum(axis=(0, 1))
    du2 = dy2 * gamma2
    dr = dh + _normalised(du2, u2, s2)
    dWo = _weight(O, dr)
    dO = dr @ Wo.T
    do = by_heads(dO)
    dv = P.swapaxes(2, 3) @ do
    dP = do @ v.swapaxes(2, 3)
    dA = P * (dP - np.sum(P * dP, axis=3, keepdims=True))
    dS = np.tril(dA)
    dq = dS @ k / np.sqrt(q.shape[3])
    dk = dS.swapaxes(2, 3) @ q / np.sqrt(q.shape[3])
    dQ, dK, dV = side_by_side(dq), side_by_side(dk), side_by_side(dv)
    dWq, dWk, dWv = _weight(y1, dQ), _weight(y1, dK), _weight(y1, dV)
    dy1 = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    dgamma1 = (dy1 * u1).sum(axis=(0, 1))
    dbeta1 = dy1.sum(axis=(0, 1))
    du1 = dy1 * gamma1
    dx = dr + _normalised(du1, u1, s1)
    return locals()


def _weight(below, dz):
    """What a weight between these gets from all samples and positions."""
    return np.einsum("ntd,ntf->df", below, dz)


def _normalised(du, u, s):
    """What comes back through u = (x − mean(x)) / s."""
    along_u = np.mean(du * u, axis=2, keepdims=True)
    return (du - np.mean(du, axis=2, keepdims=True) - u * along_u) / s


def _keras(tf, x, gamma1, beta1, Wq, Wk, Wv, Wo, gamma2, beta2, W1, b1, W2, b2, U, Y):
    """The kernels of attention are (in, heads, e), the last one (heads, e, out)."""
    keras = tf.keras.layers
    y1 = layers.keras(keras.LayerNormalization(epsilon=1e-5), [gamma1, beta1], x)
    attention = keras.MultiHeadAttention(HEADS, 4, use_bias=False, dtype=x.dtype)
    kernels = [tf.reshape(W, (8, HEADS, 4)) for W in (Wq, Wk, Wv)]
    kernels.append(tf.reshape(Wo, (HEADS, 4, 8)))
    settings = {"use_causal_mask": True, "return_attention_scores": True}
    attended, P = layers.keras(attention, kernels, y1, y1, **settings)
    r = x + attended
    y2 = layers.keras(keras.LayerNormalization(epsilon=1e-5), [gamma2, beta2], r)
    a = layers.keras(keras.Dense(5, activation="tanh"), [W1, b1], y2)
    h = r + layers.keras(keras.Dense(8), [W2, b2], a)
    l = layers.keras(keras.Dense(4, use_bias=False), [U], h)
    values = {"y1": y1, "P": P, "r": r, "y2": y2, "a": a, "h": h, "l": l}
    return {**values, "loss": tf.keras.losses.CategoricalCrossentropy(from_logits=True)(Y, l)}


def _torch(torch, x, gamma1, beta1, Wq, Wk, Wv, Wo, gamma2, beta2, W1, b1, W2, b2, U, Y):
    """One layer is the whole block; weights are (out, in), those of queries, keys and values below
    each other."""
    block = torch.nn.TransformerEncoderLayer(
        8, HEADS, 5, 0.0, torch.tanh, norm_first=True, batch_first=True, dtype=x.dtype
    )
    weights = {
        "self_attn.in_proj_weight": torch.cat([Wq, Wk, Wv], dim=1).T,
        "self_attn.in_proj_bias": torch.zeros(24, dtype=x.dtype),
        "self_attn.out_proj.weight": Wo.T,
        "self_attn.out_proj.bias": torch.zeros(8, dtype=x.dtype),
        "linear1.weight": W1.T,
        "linear1.bias": b1,
        "linear2.weight": W2.T,
        "linear2.bias": b2,
        "norm1.weight": gamma1,
        "norm1.bias": beta1,
        "norm2.weight": gamma2,
        "norm2.bias": beta2,
    }
    above = torch.nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)
    h = layers.torch(torch, block, weights, x, above)
    linear = torch.nn.Linear(8, 7, False, dtype=x.dtype)
    l = layers.torch(torch, linear, {"weight": U.T}, h)
    loss = torch.nn.CrossEntropyLoss()(l.flatten(0, 1), Y.flatten(0, 1))
    return {"h": h, "l": l, "loss": loss}


def _jax(jax, x, gamma1, beta1, Wq, Wk, Wv, Wo, gamma2, beta2, W1, b1, W2, b2, U, Y):
    jnp, normal = jax.numpy, jax.nn.standardize
    y1 = gamma1 * normal(x, axis=2, epsilon=1e-5) + beta1
    q, k, v = (jnp.stack(jnp.split(y1 @ W, HEADS, axis=2), axis=1) for W in (Wq, Wk, Wv))
    S = jnp.einsum("nhte,nhse->nhts", q, k) / 2
    P = jax.nn.softmax(S, where=jnp.tri(x.shape[1], dtype=bool))
    o = jnp.einsum("nhts,nhse->nhte", P, v)
    r = x + jnp.concatenate(list(o.swapaxes(0, 1)), axis=2) @ Wo
    y2 = gamma2 * normal(r, axis=2, epsilon=1e-5) + beta2
    a = jax.nn.tanh(y2 @ W1 + b1)
    h = r + a @ W2 + b2
    l = h @ U
    loss = -(Y * jax.nn.log_softmax(l)).sum() / (x.shape[0] * x.shape[1])
    return {"y1": y1, "P": P, "o": o, "r": r, "y2": y2, "a": a, "h": h, "l": l, "loss": loss}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
