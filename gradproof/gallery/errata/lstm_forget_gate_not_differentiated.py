"""An LSTM's forget gate is put through σ once more where σ′ belongs.

Source: the notebook of CaptainE/RNN-LSTM-in-numpy, `df = sigmoid(f[t]) * df`; reported as its issue
1 (2023), and mended in pull request 2 (2024). The right form: K. Greff et al., "LSTM: a search
space odyssey", IEEE TNNLS 28 (2017).
Wrong: dzf = dC ⊙ C⁻ ⊙ σ(f), where it is dC ⊙ C⁻ ⊙ f ⊙ (1 − f).
Hides: one step from cells at zero, as C⁻ is then zero.
"""

import numpy as np

import gradproof as gp


def forward(
    x: "T n 2",
    h0: "n 5",
    C0: "n 5",
    Wf: "7 5",
    Wi: "7 5",
    Wg: "7 5",
    Wo: "7 5",
    y: "T n 5, data",
):
    h, C, loss, steps = h0, C0, 0.0, []
    for t in range(len(x)):
        hx = np.concatenate([h, x[t]], axis=1)
        before = C
        zf = hx @ Wf
        f, i, o = gp.sigmoid(zf), gp.sigmoid(hx @ Wi), gp.sigmoid(hx @ Wo)
        g = np.tanh(hx @ Wg)
        C = f * C + i * g
        h = o * np.tanh(C)
        loss = loss + 0.5 * np.sum((h - y[t]) ** 2)
        steps.append((hx, before, f, i, g, o, C, h))
    return loss


def backward(x, y, Wf, Wi, Wg, Wo, h0, C0, steps):
    dWf = np.zeros_like(Wf)
    dh_next, dC_next = np.zeros_like(h0), np.zeros_like(C0)
    for t in reversed(range(len(steps))):
        hx, before, f, i, g, o, C, h = steps[t]
        dh = h - y[t] + dh_next
        dC = dh * o * (1 - np.tanh(C) ** 2) + dC_next
        dzf = dC * before * gp.sigmoid(f)
        dzi = dC * g * i * (1 - i)
        dzg = dC * i * (1 - g**2)
        dzo = dh * np.tanh(C) * o * (1 - o)
        dWf = dWf + hx.T @ dzf
        dhx = dzf @ Wf.T + dzi @ Wi.T + dzg @ Wg.T + dzo @ Wo.T
        dh_next = dhx[:, : h0.shape[1]]
        dC_next = dC * f
    return {"dWf": dWf, "dzf": dzf}


X = np.array([[[0.5, -1.0], [1.5, 0.25]]])
BREAKS = {"zf[1]": "function once more"}
SAMPLES = {"one step from cells at zero": {"x": X, "C0": np.zeros((2, 5))}}
