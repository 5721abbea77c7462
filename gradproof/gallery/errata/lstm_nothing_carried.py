"""An LSTM hands no gradient on to the step before: not of its state, and not of its cell.

Source: the notebook of CaptainE/RNN-LSTM-in-numpy; reported in its issue 1 (2023): `dh_prev` and
`dC_prev` are computed, and `dh_next` and `dC_next` stay as they were.
Wrong: dh = h − y and dC = dh ⊙ o ⊙ (1 − tanh²(C)) at every step.
Hides: one step.
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


def backward(y, h0, Wf, Wi, Wg, Wo, steps):
    dWf = np.zeros_like(Wf)
    dh_next, dC_next = np.zeros_like(h0), np.zeros_like(h0)
    for t in reversed(range(len(steps))):
        hx, before, f, i, g, o, C, h = steps[t]
        dh = h - y[t] + dh_next
        dC = dh * o * (1 - np.tanh(C) ** 2) + dC_next
        do = dh * np.tanh(C)
        df = dC * before
        di = dC * g
        dg = dC * i
        dzf = df * f * (1 - f)
        dzi = di * i * (1 - i)
        dzg = dg * (1 - g**2)
        dzo = do * o * (1 - o)
        dWf = dWf + hx.T @ dzf
        dhx = dzf @ Wf.T + dzi @ Wi.T + dzg @ Wg.T + dzo @ Wo.T
    return {"dWf": dWf, "dC": dC, "dh": dh, "dhx": dhx, "df": df, "do": do, "di": di, "dg": dg}


BREAKS = {"C[1]": "path missing", "h[1]": "term missing"}
SAMPLES = {"one step": {"x": np.array([[[0.5, -1.0], [1.5, 0.25]]])}}
