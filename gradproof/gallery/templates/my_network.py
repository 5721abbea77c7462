"""What this network is, in one sentence.

gradproof verify my_network.py     checks every formula below, and what a framework computes
gradproof derive my_network.py     writes the gradients as they stand on paper
"""

import numpy as np

import gradproof as gp


# Every tensor has a shape: numbers, or symbols such as n for a size that may be anything.
# "data" is given and has no gradient. Other promises that may follow a comma: positive,
# nonnegative, probabilities (each row sums to 1), one-hot.
def forward(x: "n 3", W1: "3 5", b1: "5", W2: "5 2", b2: "2", y: "n 2, data"):
    # Plain NumPy. The names of your variables are the names in the formulas.
    z1 = x @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    # What NumPy lacks is gp.sigmoid, gp.relu, gp.softmax, gp.logsumexp, ...
    a2 = gp.sigmoid(z2)
    # A loss is one number.
    return 0.5 * np.sum((a2 - y) ** 2)


# Your formulas: of any values, in terms of any values of forward. dl_dW2 claims to be the gradient
# of the loss with respect to W2. Leave out what you do not know: it is derived for you. Without a
# backward everything is derived.
def backward(x, W2, y, a1, z2, a2):
    dl_da2 = a2 - y
    dl_dz2 = dl_da2 * gp.sigmoid.derivative(z2)
    dl_dW2 = a1.T @ dl_dz2
    dl_db2 = dl_dz2.sum(axis=0)
    dl_da1 = dl_dz2 @ W2.T
    dl_dz1 = dl_da1 * (1 - a1**2)
    dl_dW1 = x.T @ dl_dz1
    dl_db1 = dl_dz1.sum(axis=0)
    return locals()


# Data of your own, by title; they are checked beside data that are drawn. What is missing is drawn.
SAMPLES = {"one sample at the origin": {"x": np.zeros((1, 3))}}
