"""A variational autoencoder's bound: a Gaussian code, drawn with given noise, and a linear decoder.

Source: D. P. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR (2014), appendix B;
lv is the logarithm of the variance.
Famous for getting wrong: ½, where σ = exp(½ lv); the path of lv through the code left out.
Hides: noise of zero hides that path.
"""

import numpy as np


def forward(x: "n 5, data", mu: "n 3", lv: "n 3", W: "3 5", eps: "n 3, data"):
    sigma = np.exp(0.5 * lv)
    z = mu + sigma * eps
    r = z @ W - x
    kl = -0.5 * np.sum(1 + lv - mu**2 - np.exp(lv))
    return 0.5 * np.sum(r**2) + kl


def backward(mu, W, eps, sigma, z, r):
    dW = z.T @ r
    dz = r @ W.T
    dmu = dz + mu
    dlv = 0.5 * dz * eps * sigma + 0.5 * (sigma**2 - 1)
    return {"dW": dW, "dz": dz, "dmu": dmu, "dlv": dlv}
