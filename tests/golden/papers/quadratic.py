"""A network whose derivation is a golden page."""


def forward(v: "d", A: "d d", b: "d"):
    return 0.5 * v @ A @ v - b @ v
