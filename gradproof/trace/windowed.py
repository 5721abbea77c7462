"""Operations on windows to shapes and terms: convolution, pooling, padding, cumulative sums."""

from __future__ import annotations

from fractions import Fraction

from gradproof.core.index import Affine, Index, Size, affine, at, combine, extent, shift
from gradproof.core.normal import decided, product
from gradproof.core.term import Bracket, Fold, Number, Product, Sum, Term
from gradproof.prims.window import Kernel, Sliding, kernel_axes
from gradproof.trace.graph import Node
from gradproof.trace.writer import Writer

Shape = tuple[Size, ...]


def window_term(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    """The meaning of one of these operations at its result's indices."""
    x = node.operands[0]
    match node.operation:
        case "convolve":
            return _convolution(writer, node, axes)
        case "convolve_transposed":
            return _transposed(writer, node, axes)
        case "average_windows" | "largest_windows":
            return _pool(writer, node, axes)
        case "windows":
            axis = node.attributes["axis"]
            moved = combine(at(axes[axis]), at(axes[-1]))
            return writer.use(x, (*_bare(axes[:axis]), moved, *_bare(axes[axis + 1 : -1])))
        case "pad":
            width = node.attributes["width"]
            places = tuple(shift(at(i), -low) for i, (low, _) in zip(axes, width, strict=True))
            return product(writer.use(x, places), *_inside(places, x.shape))
        case "cumsum":
            axis = node.attributes["axis"]
            over = writer.index(x, axis)
            read = writer.use(x, (*_bare(axes[:axis]), at(over), *_bare(axes[axis + 1 :])))
            reached = Bracket(">=", combine(at(axes[axis]), at(over), -1))
            return Sum((over,), product(read, reached))
        case _:
            ahead = shift(combine(at(axes[-1]), at(axes[-2]), -1), -node.attributes["diagonal"])
            position = ahead if node.attributes["upper"] else combine(Affine(()), ahead, -1)
            return decided(product(writer.use(x, _bare(axes)), Bracket(">=", position)))


def _bare(axes: tuple[Index, ...]) -> tuple[Affine, ...]:
    return tuple(at(index) for index in axes)


def _inside(places: tuple[Affine, ...], shape: Shape) -> list[Bracket]:
    """The conditions that positions lie within a tensor, apart from those that always hold."""
    found = []
    for position, size in zip(places, shape, strict=True):
        above = shift(combine(extent(size), position, -1), -1)
        found += [Bracket(">=", position), Bracket(">=", above)]
    kept = decided(product(*found))
    factors = kept.factors if isinstance(kept, Product) else (kept,)
    return [factor for factor in factors if isinstance(factor, Bracket)]


def _new(writer: Writer, size: Size) -> Index:
    writer.fresh += 1
    return Index(writer.fresh, size)


def _convolution(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    """``Σ x[n, c, s·i + d·r − p] W[o, c, r]``, as every framework's convolution is: a correlation.

    With groups, an output reads the channels of its own group.
    """
    x, w = node.operands
    s: Sliding = node.attributes["sliding"]
    kernel = kernel_axes(s.layout, len(s.stride), transposed=False)
    channel = s.channel(len(axes))
    window = [_new(writer, w.shape[axis]) for axis in kernel.window]
    c = _new(writer, w.shape[kernel.inputs])
    over, conditions = [c, *window], []
    read_x = list(_bare(axes))
    read_x[channel] = at(c)
    if s.groups > 1:
        outputs, inputs = w.shape[kernel.outputs], w.shape[kernel.inputs]
        assert isinstance(outputs, int) and isinstance(inputs, int)
        each = outputs // s.groups
        group = at(axes[channel])
        if each > 1:
            b = _new(writer, s.groups)
            over, group = [b, *over], at(b)
            first = combine(at(axes[channel]), affine({b: each}), -1)
            conditions += [Bracket(">=", first)]
            conditions += [Bracket(">=", shift(combine(Affine(()), first, -1), each - 1))]
        read_x[channel] = combine(at(c), group, inputs)
    for k, axis in enumerate(s.spatial(len(axes))):
        there = affine({axes[axis]: s.stride[k], window[k]: s.dilation[k]}, -s.padding[k][0])
        read_x[axis] = there
        conditions += _inside((there,), (x.shape[axis],))
    read_w = _kernel_places(kernel, at(axes[channel]), at(c), window)
    inside = product(writer.use(x, tuple(read_x)), writer.use(w, read_w), *conditions)
    return Sum(tuple(over), inside)


def _kernel_places(
    kernel: Kernel, output: Affine, channel: Affine, window: list[Index]
) -> tuple[Affine, ...]:
    places = {kernel.outputs: output, kernel.inputs: channel}
    places |= dict(zip(kernel.window, map(at, window), strict=True))
    return tuple(places[axis] for axis in range(len(places)))


def _transposed(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    """``Σ x[n, c, i] W[c, o, r] [p = s·i + d·r − lo]``: each element spreads the kernel."""
    x, w = node.operands
    s: Sliding = node.attributes["sliding"]
    kernel = kernel_axes(s.layout, len(s.stride), transposed=True)
    channel = s.channel(len(axes))
    window = [_new(writer, w.shape[axis]) for axis in kernel.window]
    c = _new(writer, w.shape[kernel.inputs])
    over, conditions = [c, *window], []
    read_x = list(_bare(axes))
    read_x[channel] = at(c)
    for k, axis in enumerate(s.spatial(len(axes))):
        back = combine(
            shift(at(axes[axis]), s.padding[k][0]), affine({window[k]: s.dilation[k]}), -1
        )
        if s.stride[k] == 1:
            read_x[axis] = back
            conditions += _inside((back,), (x.shape[axis],))
        else:
            i = _new(writer, x.shape[axis])
            over.append(i)
            read_x[axis] = at(i)
            conditions.append(Bracket("==", combine(back, affine({i: s.stride[k]}), -1)))
    read_w = _kernel_places(kernel, at(axes[channel]), at(c), window)
    inside = product(writer.use(x, tuple(read_x)), writer.use(w, read_w), *conditions)
    return Sum(tuple(over), inside)


def _pool(writer: Writer, node: Node, axes: tuple[Index, ...]) -> Term:
    s: Sliding = node.attributes["sliding"]
    window = [_new(writer, length) for length in node.attributes["window"]]
    places = list(_bare(axes))
    count = 1
    for k, axis in enumerate(s.spatial(len(axes))):
        places[axis] = affine({axes[axis]: s.stride[k], window[k]: 1})
        count *= node.attributes["window"][k]
    read = writer.use(node.operands[0], tuple(places))
    if node.operation == "largest_windows":
        return Fold("max", tuple(window), read)
    return product(Number(Fraction(1, count)), Sum(tuple(window), read))
