"""Multi-head attention: queries, keys and values by heads, each with its own softmax.

Source: A. Vaswani et al., "Attention is all you need", NeurIPS (2017), section 3.2.2; the backward
pass of a head: T. Dao et al., "FlashAttention", NeurIPS (2022), appendix B.
Famous for getting wrong: heads split by a reshape alone, without the transpose of heads and
positions; the scale 1/√d with the width of all heads; one of the three paths to x forgotten.
Hides: one head hides how heads are split; one sample hides that weights add up over samples.
"""

import numpy as np

import gradproof as gp
from gradproof.gallery import layers

HEADS = 2


def by_heads(A):
    """(n, T, heads·e) to (n, heads, T, e)."""
    return A.reshape(*A.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)


def side_by_side(A):
    """(n, heads, T, e) to (n, T, heads·e)."""
    return A.transpose(0, 2, 1, 3).reshape(A.shape[0], A.shape[2], -1)


def forward(x: "n T 8", Wq: "8 8", Wk: "8 8", Wv: "8 8", Wo: "8 8", t: "n T 8, data"):
    Q = x @ Wq
    K = x @ Wk
    V = x @ Wv
    q = by_heads(Q)
    k = by_heads(K)
    v = by_heads(V)
    S = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[3])
    P = gp.softmax(S)
    o = P @ v
    O = side_by_side(o)
    y = O @ Wo
    return 0.5 * np.sum((y - t) ** 2)


def backward(x, Wq, Wk, Wv, Wo, t, q, k, v, P, O, y):
    dy = y - t
    dO = dy @ Wo.T
    dWo = np.einsum("ntd,ntf->df", O, dy)
    do = by_heads(dO)
    dv = P.swapaxes(2, 3) @ do
    dP = do @ v.swapaxes(2, 3)
    dS = P * (dP - np.sum(P * dP, axis=3, keepdims=True))
    dq = dS @ k / np.sqrt(q.shape[3])
    dk = dS.swapaxes(2, 3) @ q / np.sqrt(q.shape[3])
    dQ = side_by_side(dq)
    dK = side_by_side(dk)
    dV = side_by_side(dv)
    dWq = np.einsum("ntd,ntf->df", x, dQ)
    dWk = np.einsum("ntd,ntf->df", x, dK)
    dWv = np.einsum("ntd,ntf->df", x, dV)
    dx = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    return locals()


def _keras(tf, x, Wq, Wk, Wv, Wo, t):
    """The kernels are (in, heads, e), the last one (heads, e, out). e is 4 because the layer rounds
    1/√e to float32, which is exact for 4."""
    attention = tf.keras.layers.MultiHeadAttention(HEADS, 4, use_bias=False, dtype=x.dtype)
    kernels = [tf.reshape(W, (8, HEADS, 4)) for W in (Wq, Wk, Wv)]
    kernels.append(tf.reshape(Wo, (HEADS, 4, 8)))
    y, P = layers.keras(attention, kernels, x, x, return_attention_scores=True)
    return {"P": P, "y": y, "loss": 0.5 * tf.reduce_sum((y - t) ** 2)}


def _torch(torch, x, Wq, Wk, Wv, Wo, t):
    """Weights are (out, in), those of queries, keys and values below each other."""
    attention = torch.nn.MultiheadAttention(8, HEADS, False, batch_first=True, dtype=x.dtype)
    weights = {
        "in_proj_weight": torch.cat([Wq, Wk, Wv], dim=1).T,
        "out_proj.weight": Wo.T,
        "out_proj.bias": torch.zeros_like(Wo[0]),
    }
    y, P = layers.torch(torch, attention, weights, x, x, x, average_attn_weights=False)
    return {"P": P, "y": y, "loss": 0.5 * torch.nn.MSELoss(reduction="sum")(y, t)}


def _jax(jax, x, Wq, Wk, Wv, Wo, t):
    """JAX's own `dot_product_attention` takes the softmax in float32, whatever it is given."""
    Q, K, V = x @ Wq, x @ Wk, x @ Wv
    q, k, v = (jax.numpy.stack(jax.numpy.split(A, HEADS, axis=2), axis=1) for A in (Q, K, V))
    P = jax.nn.softmax(jax.numpy.einsum("nhte,nhse->nhts", q, k) / 2)
    o = jax.numpy.einsum("nhts,nhse->nhte", P, v)
    y = jax.numpy.concatenate(list(o.swapaxes(0, 1)), axis=2) @ Wo
    values = {"Q": Q, "K": K, "V": V, "q": q, "k": k, "v": v, "P": P, "o": o, "y": y}
    return {**values, "loss": 0.5 * ((y - t) ** 2).sum()}


NATIVE = {"tensorflow": _keras, "torch": _torch, "jax": _jax}
