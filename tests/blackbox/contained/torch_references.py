"""What a reference in PyTorch may contain, by what a person calls it: a function and the shapes of
its inputs."""

import torch
from torch.nn import functional

T = torch.tensor
MASK = torch.tril(torch.ones(4, 4, dtype=torch.bool))
KEPT = torch.tensor([[2.0, 0, 2, 2], [0, 2, 2, 0], [2, 2, 0, 2]])
PLACES = T([[0, 2], [1, 1], [3, 0]])
LABELS = T([1, 0, 3])


def softmax_by_hand(z):
    e = torch.exp(z - z.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


def masked_attention(q, k, v):
    scores = (q @ k.T / 2.0).masked_fill(~MASK, float("-inf"))
    return torch.softmax(scores, -1) @ v


def by_index(x, y):
    z = x.clone()
    z[T([0, 2])] = y
    return z


def by_slice(x, y):
    z = x.clone()
    z[:2] = y
    return z


def attended(**settings):
    return lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, **settings)


DECIDED = {
    # functions
    "exp, log, sqrt, pow": (
        lambda x: torch.exp(x) * torch.log1p(x * x) + (x * x + 1).sqrt() ** 3,
        [(3, 4)],
    ),
    "pow of two tensors": (lambda x, y: x.exp() ** y, [(3, 4), (3, 4)]),
    "exp2, log2, log10": (
        lambda x: torch.exp2(x) + torch.log2(x * x + 1) + torch.log10(x * x + 2),
        [(3, 4)],
    ),
    "sin, cos, tan": (lambda x: torch.sin(x) * torch.cos(x) + torch.tan(x), [(3, 4)]),
    "sinh, cosh, tanh": (lambda x: torch.sinh(x) + torch.cosh(x) * torch.tanh(x), [(3, 4)]),
    "atan, asin, acos": (
        lambda x: torch.atan(x) + torch.asin(x / 4) * torch.acos(x / 4),
        [(3, 4)],
    ),
    "atan2": (lambda x, y: torch.atan2(x, y), [(3, 4), (3, 4)]),
    "asinh, acosh, atanh": (
        lambda x: torch.asinh(x) + torch.acosh(x * x + 1.5) * torch.atanh(x / 4),
        [(3, 4)],
    ),
    "erf, erfc": (lambda x: torch.erf(x) + torch.erfc(x * x), [(3, 4)]),
    "sigmoid, logsigmoid, softplus": (
        lambda x: torch.sigmoid(x) * functional.logsigmoid(x) + functional.softplus(x),
        [(3, 4)],
    ),
    "relu, leaky_relu, relu6": (
        lambda x: functional.relu(x) + functional.leaky_relu(x, 0.1) + functional.relu6(x),
        [(3, 4)],
    ),
    "elu, selu": (lambda x: functional.elu(x) + functional.selu(x), [(3, 4)]),
    "gelu, both forms": (
        lambda x: functional.gelu(x) + functional.gelu(x, approximate="tanh"),
        [(3, 4)],
    ),
    "silu, mish, hardswish": (
        lambda x: functional.silu(x) + functional.mish(x) + functional.hardswish(x),
        [(3, 4)],
    ),
    "glu, softsign": (lambda x: functional.glu(x, -1) + functional.softsign(x[:, :2]), [(3, 4)]),
    "prelu": (lambda x, a: functional.prelu(x, a), [(3, 4), (4,)]),
    "abs, sign, maximum, minimum": (
        lambda x, y: torch.maximum(x.sin(), y) + torch.minimum(x, y) * x.abs() * y.sign(),
        [(3, 4), (3, 4)],
    ),
    "where, clamp": (
        lambda x, y: torch.where(x > y, x.clamp(-0.5, 0.5), y.clamp(min=0.1)),
        [(3, 4), (3, 4)],
    ),
    "logaddexp, xlogy": (
        lambda x, y: torch.logaddexp(x, y) + torch.xlogy(x, y.exp()),
        [(3, 4), (3, 4)],
    ),
    "floor, ceil, round, trunc": (
        lambda x: x * (torch.floor(x) + torch.ceil(2 * x) * torch.round(x, decimals=1) + x.trunc()),
        [(3, 4)],
    ),
    "remainder, fmod": (
        lambda x, y: (
            torch.remainder(x, y)
            + torch.fmod(x, 0.7)
            + x * torch.div(x, y, rounding_mode="floor")
            + x.frac()
        ),
        [(3, 4), (3, 4)],
    ),
    # reductions
    "sum, mean": (lambda x: x.sum(0) * x.mean() + x.sum((0, 1)), [(3, 4)]),
    "var, std": (lambda x: x.var(1) + x.std(1, correction=0), [(3, 4)]),
    "norms": (lambda x: x.norm(dim=1) + x.norm(p=1, dim=1) + x.norm(p=3), [(3, 4)]),
    "max and min over an axis": (
        lambda x: x.sin().amax(1) + x.cos().max(1).values + x.sin().amin(1) * x.min(1).values,
        [(3, 4)],
    ),
    "max and min of all": (lambda x: x.sin().max() + x.cos().min(), [(3, 4)]),
    "argmax": (lambda x: x.gather(1, x.argmax(1, keepdim=True)), [(3, 4)]),
    "sort, topk, median": (
        lambda x: x.sort(1).values[:, :2] * x.topk(2, 1).values + x.median(1, True).values,
        [(3, 5)],
    ),
    "argsort": (lambda x, y: y.gather(1, x.argsort(1)), [(3, 4), (3, 4)]),
    "prod": (lambda x: torch.prod(x, 1), [(3, 4)]),
    "cumsum": (lambda x: torch.cumsum(x, 1), [(3, 4)]),
    # softmax
    "softmax, log_softmax, logsumexp": (
        lambda x: (
            functional.softmax(x, 0) + functional.log_softmax(x, 1) * torch.logsumexp(x, (0, 1))
        ),
        [(3, 4)],
    ),
    "softmax by hand, x - max(x)": (lambda x, w: softmax_by_hand(x @ w), [(3, 4), (4, 5)]),
    # products
    "matmul, mv, dot": (lambda a, b, v: a @ b @ v + (v @ v), [(3, 4), (4, 2), (2,)]),
    "bmm, baddbmm": (
        lambda c, a, b: torch.bmm(a, b) + torch.baddbmm(c, a, b, alpha=0.5),
        [(2, 3, 2), (2, 3, 4), (2, 4, 2)],
    ),
    "einsum": (
        lambda a, b, v: torch.einsum("bij,bkj->bik", a, b) * torch.einsum("i,k->ik", v, v[:2]),
        [(2, 3, 4), (2, 2, 4), (3,)],
    ),
    "linear, addmm": (
        lambda x, w, b: functional.linear(x, w, b) + torch.addmm(b, x, w.T),
        [(3, 4), (5, 4), (5,)],
    ),
    "outer, tensordot, kron": (
        lambda a, b: torch.outer(a, b) + torch.tensordot(a, b, 0) * torch.kron(a, b).sum(),
        [(3,), (4,)],
    ),
    "matrix inverse": (lambda x: torch.linalg.inv(x + 4 * torch.eye(3, dtype=x.dtype)), [(3, 3)]),
    "slogdet": (
        lambda x: torch.linalg.slogdet(x)[1] + torch.linalg.slogdet(x.T @ x)[1] * x.sum(),
        [(3, 3)],
    ),
    # layers
    "layer_norm": (lambda x, w, b: functional.layer_norm(x, (4,), w, b), [(3, 4), (4,), (4,)]),
    "rms_norm": (lambda x, w: functional.rms_norm(x, (4,), w, 1e-5), [(3, 4), (4,)]),
    "batch_norm": (
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
        [(5, 3), (3,), (3,)],
    ),
    "group_norm, instance_norm": (
        lambda x, w, b: functional.group_norm(x, 2, w, b) + functional.instance_norm(x),
        [(2, 4, 3), (4,), (4,)],
    ),
    "dropout with a given mask": (lambda x: x * KEPT.to(x.dtype), [(3, 4)]),
    "embedding": (lambda E: functional.embedding(T([2, 0, 2]), E, padding_idx=0), [(5, 3)]),
    "attention": (attended(), [(1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 4)]),
    "causal attention": (attended(is_causal=True), [(2, 4, 4)] * 3),
    "attention with a mask": (attended(attn_mask=MASK), [(1, 2, 4, 4)] * 3),
    "attention by hand, -inf above the diagonal": (masked_attention, [(4, 4)] * 3),
    "lstm cell": (
        lambda x, h, c, a, b: torch.lstm_cell(x, (h, c), a, b),
        [(2, 3), (2, 4), (2, 4), (16, 3), (16, 4)],
    ),
    "conv1d, conv2d": (
        lambda x, w, b: (
            functional.conv2d(x, w, b, stride=2, padding=1)
            * functional.conv1d(x[:, :, 0], w[:, :, 0]).sum()
        ),
        [(2, 3, 5, 5), (4, 3, 3, 3), (4,)],
    ),
    "convolutions in groups, dilated": (
        lambda x, w: functional.conv2d(x, w, dilation=2, groups=2),
        [(2, 4, 5, 6), (6, 2, 2, 2)],
    ),
    "transposed convolution": (
        lambda x, w, b: functional.conv_transpose2d(x, w, b, stride=2, padding=1),
        [(2, 3, 4, 4), (3, 2, 3, 3), (2,)],
    ),
    "max pool": (lambda x: functional.max_pool2d(x.sin(), 3, 2, 1), [(2, 3, 5, 5)]),
    "average pool": (
        lambda x: (
            functional.avg_pool2d(x, 3, 2, 1)
            + functional.adaptive_avg_pool2d(x, 3) * functional.avg_pool2d(x, 2)[:1, :1, :1, :1]
        ),
        [(2, 3, 5, 5)],
    ),
    "nearest neighbours": (lambda x: functional.interpolate(x, scale_factor=2), [(2, 3, 4, 4)]),
    "unfold, fold": (lambda x: functional.fold(functional.unfold(x, 2), (4, 4), 2), [(2, 3, 4, 4)]),
    # losses
    "mse, l1, smooth_l1, huber": (
        lambda x, y: (
            functional.mse_loss(x, y)
            + functional.l1_loss(x, y) * functional.smooth_l1_loss(x, y)
            + functional.huber_loss(x, y)
        ),
        [(3, 4), (3, 4)],
    ),
    "binary cross-entropy": (
        lambda x, y: (
            functional.binary_cross_entropy_with_logits(x, y.sigmoid())
            + functional.binary_cross_entropy(x.sigmoid(), y.sigmoid())
        ),
        [(3, 4), (3, 4)],
    ),
    "cross-entropy": (lambda x: functional.cross_entropy(x, LABELS, label_smoothing=0.1), [(3, 4)]),
    "kl_div": (
        lambda x, y: functional.kl_div(
            functional.log_softmax(x, 1), functional.softmax(y, 1), reduction="batchmean"
        ),
        [(3, 4), (3, 4)],
    ),
    "normalize, cosine_similarity": (
        lambda x, y: functional.normalize(x, dim=1).sum(1) * functional.cosine_similarity(x, y),
        [(3, 4), (3, 4)],
    ),
    # elements that are moved
    "reshape, transpose, permute": (
        lambda x: (
            x.transpose(0, 1).reshape(2, 6).view(3, 4) * x.movedim(0, 1).contiguous().view(3, 4)
        ),
        [(3, 4)],
    ),
    "slices, strides, new axes": (lambda x: x[:, ::2, None] * x[1:2, 1:2, None], [(3, 4)]),
    "index_select, gather, scatter_add": (
        lambda x: (
            torch.gather(x, 1, PLACES)
            + torch.zeros(3, 4, dtype=x.dtype).scatter_add(1, PLACES, x[:, :2])[:, :2]
            + x.index_select(1, T([0, 2]))
        ),
        [(3, 4)],
    ),
    "indices by tensors": (
        lambda x: x[T([0, 2]), T([1, 1])] * x[T([True, False, True])].sum(),
        [(3, 4)],
    ),
    "assignment by indices": (by_index, [(3, 4), (2, 4)]),
    "assignment by slices": (by_slice, [(3, 4), (2, 4)]),
    "split, chunk, unbind": (
        lambda x: torch.split(x, 2, 1)[0] * x.chunk(2, 1)[1] + x.unbind(0)[1][:2],
        [(3, 4)],
    ),
    "cat, stack": (
        lambda x, y: torch.cat([x, y * 2], 1) + torch.stack([x, y], 1).view(3, 8),
        [(3, 4)] * 2,
    ),
    "pad": (lambda x: functional.pad(x, (1, 2, 0, 1), value=0.3), [(3, 4)]),
    "pad by reflection, by edges": (
        lambda x: (
            functional.pad(x, (1, 2), mode="reflect") + functional.pad(x, (1, 2), mode="replicate")
        ),
        [(2, 3, 4)],
    ),
    "roll, flip": (lambda x: torch.roll(x, 1, 1) * torch.flip(x, (1,)), [(3, 4)]),
    "repeat, expand, tile": (
        lambda x: x.repeat(2, 3) * torch.tile(x, (2, 3)) + x[:1, :1].expand(6, 12),
        [(3, 4)],
    ),
    "tril, triu, diagonal": (
        lambda x: torch.tril(x) + torch.triu(x, 1) * torch.diag(torch.diagonal(x)) + x.trace(),
        [(4, 4)],
    ),
    "masked_fill": (lambda x: x.masked_fill(MASK, 0.5), [(4, 4)]),
    # other
    "conversion to float32": (
        lambda x, w: functional.rms_norm(x.float(), (4,), w.float(), 1e-5).to(x.dtype),
        [(3, 4), (4,)],
    ),
    "operations in place": (lambda x: x.clone().mul_(2).add_(1).relu_(), [(3, 4)]),
    "checkpoints, vmap": (
        lambda x: (
            torch.utils.checkpoint.checkpoint(torch.sin, x, use_reentrant=False)
            * torch.vmap(lambda row: row.softmax(0))(x)
        ),
        [(3, 4)],
    ),
}
UNDECIDED = {
    "cumprod": (lambda x: torch.cumprod(x, 1), [(3, 4)], "aten.max.dim"),
    "fft": (lambda x: torch.fft.rfft(x).abs(), [(3, 4)], "fft"),
    "cholesky": (lambda x: torch.linalg.cholesky(x @ x.T), [(3, 3)], "cholesky"),
    "conversion to 16 bits": (lambda x: x.bfloat16().to(x.dtype), [(3, 4)], "bfloat16"),
    "branches on data": (lambda x: x if x.sum() > 9 else x.sin(), [(3, 4)], "a number"),
}
