"""Right functions in PyTorch that differ from their references where nobody looks: at kinks they
take other slopes, elsewhere other algorithms, and some are right only in the domain of their data.
"""

import torch
from torch.nn import functional


def written(forward, backward):
    """A function whose backward pass is given the upstream gradient and the inputs."""

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return backward(g, *ctx.saved_tensors)

    return Own.apply


def slopes(below, at, above, where=0.0):
    """The slopes of a piecewise linear function on both sides of a number, and there."""

    def backward(g, x):
        low, here, high = (torch.full_like(x, slope) for slope in (below, at, above))
        return g * torch.where(x == where, here, torch.where(x < where, low, high))

    return backward


def to_last(g, x):
    """The largest element's gradient to the last of those that are tied."""
    place = x.shape[1] - 1 - x.flip(1).argmax(1, keepdim=True)
    return torch.zeros_like(x).scatter(1, place, g[:, None])


def shared(g, x):
    """The largest element's gradient to all that are tied, in equal parts."""
    tied = (x == x.amax(1, keepdim=True)).to(g.dtype)
    return g[:, None] * tied / tied.sum(1, keepdim=True)


def normed(x, eps=1e-5):
    v = (x * x).mean(1, keepdim=True) - x.mean(1, keepdim=True) ** 2
    return (x - x.mean(1, keepdim=True)) / (v.clamp_min(0) + eps).sqrt()


def normed_back(g, x, eps=1e-5):
    v = (x * x).mean(1, keepdim=True) - x.mean(1, keepdim=True) ** 2
    r = 1 / (v.clamp_min(0) + eps).sqrt()
    u = (x - x.mean(1, keepdim=True)) * r
    return (g - g.mean(1, keepdim=True) - u * (g * u).mean(1, keepdim=True)) * r


def softmaxed_back(g, x):
    p = torch.softmax(x, 1)
    return p * (g - (g * p).sum(1, keepdim=True))


def huber_back(g, x):
    return g * x.clamp(-1, 1)


def unit_back(g, x):
    n = x.norm(dim=1, keepdim=True).clamp_min(1e-3)
    y = x / n
    long = (x.norm(dim=1, keepdim=True) > 1e-3).to(g.dtype)
    return (g - y * (g * y).sum(1, keepdim=True) * long) / n


def times_inverse(g, A, b):
    """Of a symmetric matrix, which A is."""
    back = torch.linalg.solve(A.double(), g.double())
    return -back[:, None] * torch.linalg.solve(A.double(), b.double())[None, :], back


def moved_back(g, x, order):
    """Each row comes from one other: it is assigned."""
    made = torch.zeros_like(x)
    made[order] = g
    return made, None


def gathered(x, order):
    return x[order]


def pooled(x):
    return functional.max_pool1d(x[None], 2)[0]


def pooled_back(g, x):
    pairs = x.unflatten(1, (-1, 2))
    first = (pairs[..., 0] >= pairs[..., 1]).to(g.dtype)
    return torch.stack([g * first, g * (1 - first)], -1).flatten(1)


def entropy_back(g, p):
    return -g[:, None] * (p.log() + 1)


def expanded(g, p):
    """Of log p, whose exponentials sum to 1: so their mean is what it is."""
    return g[:, None] * (p + 1) * p.exp()


def normals(*shapes):
    return lambda draw: [torch.tensor(draw.standard_normal(s)) for s in shapes]


def positive(*shapes):
    return lambda draw: [torch.tensor(draw.uniform(0.3, 2.0, s)) for s in shapes]


def symmetric(draw):
    a = torch.tensor(draw.standard_normal((5, 5)))
    return [(a + a.T) / 2, torch.tensor(draw.standard_normal(5))]


def masked(draw):
    return [
        torch.tensor(draw.standard_normal((4, 6))),
        torch.tensor(draw.integers(0, 2, (4, 6)) * 1.0),
    ]


def probable(draw):
    return [torch.softmax(torch.tensor(draw.standard_normal((4, 6))), 1)]


def permuted(draw):
    return [torch.tensor(draw.standard_normal((5, 3))), torch.tensor(draw.permutation(5))]


def rotated(draw):
    q = torch.tensor(draw.standard_normal((4, 3)))
    return [q / q.norm(dim=1, keepdim=True), torch.tensor(draw.standard_normal((4, 3)))]


def quadratic(A, x):
    return x @ A @ x


def quadratic_back(g, A, x):
    """Of a symmetric A."""
    return g * torch.outer(x, x), 2 * g * (A @ x)


def rejected(u, x):
    """What of x is orthogonal to u, which has the length 1."""
    return x - u * (u * x).sum(1, keepdim=True) / (u * u).sum(1, keepdim=True)


def rejected_back(g, u, x):
    along = (u * x).sum(1, keepdim=True)
    gu = (g * u).sum(1, keepdim=True)
    return -g * along - x * gu + 2 * u * along * gu, g - u * gu


def weighed(x, mask):
    return x * mask * mask


def weighed_back(g, x, mask):
    """Of a mask, which is its own square."""
    return g * mask, 2 * g * x * mask


DATA = normals((4, 6))
RIGHT = {
    "relu, 1 at 0": (torch.relu, slopes(0.0, 1.0, 1.0), lambda x: torch.relu(x), DATA),
    "relu, ½ at 0": (torch.relu, slopes(0.0, 0.5, 1.0), lambda x: torch.relu(x), DATA),
    "relu, a clamp": (torch.relu, slopes(0.0, 1.0, 1.0), lambda x: x.clamp_min(0), DATA),
    "relu, chosen": (
        torch.relu,
        slopes(0.0, 1.0, 1.0),
        lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
        DATA,
    ),
    "relu, the larger": (
        torch.relu,
        slopes(0.0, 1.0, 1.0),
        lambda x: torch.maximum(x, torch.zeros_like(x)),
        DATA,
    ),
    "abs, 1 at 0": (torch.abs, slopes(-1.0, 1.0, 1.0), lambda x: torch.abs(x), DATA),
    "abs, −1 at 0, a sum": (
        torch.abs,
        slopes(-1.0, -1.0, 1.0),
        lambda x: torch.relu(x) + torch.relu(-x),
        DATA,
    ),
    "leaky, 0 at 0": (
        lambda x: functional.leaky_relu(x, 0.9),
        slopes(0.9, 0.0, 1.0),
        lambda x: functional.leaky_relu(x, 0.9),
        DATA,
    ),
    "leaky, both at 0": (
        lambda x: functional.leaky_relu(x, 0.9),
        slopes(0.9, 1.9, 1.0),
        lambda x: functional.leaky_relu(x, 0.9),
        DATA,
    ),
    "elu": (
        functional.elu,
        lambda g, x: g * torch.where(x > 0, torch.ones_like(x), x.clamp_max(0).exp()),
        lambda x: functional.elu(x),
        DATA,
    ),
    "huber": (
        lambda x: torch.where(x.abs() < 1, 0.5 * x * x, x.abs() - 0.5),
        huber_back,
        lambda x: functional.huber_loss(x, torch.zeros_like(x), reduction="none"),
        DATA,
    ),
    "max, the last": (lambda x: x.amax(1), to_last, lambda x: x.amax(1), DATA),
    "max, shared": (lambda x: x.amax(1), shared, lambda x: x.max(1).values, DATA),
    "max, sorted": (lambda x: x.amax(1), to_last, lambda x: x.sort(1).values[:, -1], DATA),
    "max pool, the first": (pooled, pooled_back, pooled, DATA),
    "layer norm in one pass": (
        lambda x: normed(x, 1e-7),
        lambda g, x: normed_back(g, x, 1e-7),
        lambda x: functional.layer_norm(x, (6,), eps=1e-7),
        DATA,
    ),
    "softmax": (
        lambda x: torch.softmax(x, 1),
        softmaxed_back,
        lambda x: (x - x.logsumexp(1, keepdim=True)).exp(),
        DATA,
    ),
    "unit vectors": (
        lambda x: x / x.norm(dim=1, keepdim=True).clamp_min(1e-3),
        unit_back,
        lambda x: functional.normalize(x, dim=1, eps=1e-3),
        DATA,
    ),
    "logarithm": (torch.log, lambda g, x: g / x, lambda x: torch.log(x), positive((4, 6))),
    "square root": (
        torch.sqrt,
        lambda g, x: g * 0.5 / x.sqrt(),
        lambda x: torch.sqrt(x),
        positive((4, 6)),
    ),
    "power of what is positive": (
        lambda x: (2.5 * x.log()).exp(),
        lambda g, x: g * 2.5 * (2.5 * x.log()).exp() / x,
        lambda x: x**2.5,
        positive((4, 6)),
    ),
    "entropy of probabilities": (
        lambda p: -(p * p.log()).sum(1),
        entropy_back,
        lambda p: -torch.special.xlogy(p, p).sum(1),
        probable,
    ),
    "a quadratic form of a symmetric matrix": (quadratic, quadratic_back, quadratic, symmetric),
    "a mask, twice": (weighed, weighed_back, weighed, masked),
    "a permutation": (gathered, moved_back, gathered, permuted),
    "along unit vectors": (rejected, rejected_back, rejected, rotated),
}
"""A forward and a backward pass, a reference that is another way to write the forward, and the data
with which a person would call them."""
