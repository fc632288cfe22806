"""Transformers: BERT-tiny, MobileBERT and ViT-B."""

from __future__ import annotations

from socsim.errors import UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["bert_tiny", "mobilebert", "vit_b16"]

_VOCABULARY = 30522
_POSITIONS = 512
_SEGMENTS = 2


def bert_tiny(*, tokens: int = 128) -> ModelGraph:
    """BERT-tiny (Turc et al., "Well-Read Students Learn Better", 2019).

    2 layers, 128 features, 2 heads, 4.4 M parameters. Reads token numbers, segment numbers and a mask;
    gives the features of all tokens and the pooled ones of the first. Attention's scaling is folded into
    the query weights.

    Parameters
    ----------
    tokens
        Length of the sequence, 1 to 512.

    Raises
    ------
    UsageError
        Another length.
    """
    hidden = 128
    b, words, segments, mask = _text_inputs("bert_tiny", tokens)
    x = b.add_(b.embedding(words, _VOCABULARY, hidden), b.embedding(segments, _SEGMENTS, hidden))
    x = b.norm("layer_norm", _with_constant(b, x, "add", _POSITIONS * hidden))
    for layer in range(2):
        prefix = f"layer_{layer}"
        context = _attention(b, x, x, 2, hidden, f"{prefix}.attention", mask)
        x = b.norm("layer_norm", b.add_(b.linear(context, hidden, name=f"{prefix}.attention.out"), x))
        x = b.norm("layer_norm", b.add_(_gelu_ffn(b, x, 4 * hidden, prefix), x))
    pooled = b.linear(_first_token(b, x), hidden, activation="tanh", name="pooler")
    return b.build(x, pooled)


def mobilebert(*, tokens: int = 384) -> ModelGraph:
    """MobileBERT (Sun et al., "MobileBERT: a Compact Task-Agnostic BERT ...", 2020).

    With a question-answering head. 24 blocks of 512 features with bottlenecks of 128, 4 heads and 4
    stacked feed-forward networks; 24.6 M parameters without the pre-training heads. Its scale-and-shift
    "normalisations" are folded into the matrix product before, or, behind a residual addition, are one
    multiplication and one addition. Reads and scales as of :func:`bert_tiny`; gives scores for start and
    end of the answer at each token.

    Parameters
    ----------
    tokens
        Length of the sequence, 1 to 512; MLPerf Mobile uses 384 (default).

    Raises
    ------
    UsageError
        Another length.
    """
    b, words, segments, mask = _text_inputs("mobilebert", tokens)
    x = _with_neighbours(b, b.embedding(words, _VOCABULARY, 128))
    x = b.add_(b.linear(x, 512, name="embedding"), b.embedding(segments, _SEGMENTS, 512))
    x = _scale_and_shift(b, _with_constant(b, x, "add", _POSITIONS * 512))
    for block in range(24):
        x = _mobilebert_block(b, x, mask, f"block_{block}")
    return b.build(b.linear(x, 2, name="answer"))


def vit_b16(*, resolution: int = 224, patch: int = 16, classes: int = 1000) -> ModelGraph:
    """ViT-B (Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021): 12 layers, 768 features, 12 heads.

    86.6 M parameters at the defaults. Attention's scaling is folded into the query weights.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of `patch`.
    patch
        Height and width of a patch: 16, or 32 for ViT-B/32.
    classes
        Size of the output.

    Raises
    ------
    UsageError
        A patch smaller than 1, or a resolution that is not a multiple of it.
    """
    if patch < 1:
        raise UsageError(f"network 'vit_b16': patch must be at least 1 pixel, got {patch}; usual is 16 or 32")
    hidden = 768
    b = GraphBuilder("vit_b16" if patch == 16 else f"vit_b{patch}")
    x = b.conv(b.image(resolution, resolution, multiple=patch), hidden, patch, patch, padding="valid")
    x = b.transpose(b.reshape(x, 1, hidden, -1), (0, 2, 1))
    tokens = b.shape(x)[1] + 1
    x = b.add("concat", [x], (1, tokens, hidden), weights=hidden, axis=1)  # with the class token, a constant
    x = _with_constant(b, x, "add", tokens * hidden)
    for layer in range(12):
        prefix = f"layer_{layer}"
        y = b.norm("layer_norm", x)
        context = _attention(b, y, y, 12, hidden, f"{prefix}.attention")
        x = b.add_(b.linear(context, hidden, name=f"{prefix}.attention.out"), x)
        x = b.add_(_gelu_ffn(b, b.norm("layer_norm", x), 4 * hidden, prefix), x)
    x = _first_token(b, b.norm("layer_norm", x))
    return b.build(b.softmax(b.dense(x, classes, name="head")))


def _text_inputs(name: str, tokens: int) -> tuple[GraphBuilder, str, str, str]:
    """A builder, token numbers, segment numbers, and what the mask adds to the attention scores."""
    if not 1 <= tokens <= _POSITIONS:
        raise UsageError(
            f"network {name!r}: tokens must be 1 to {_POSITIONS}, got {tokens}; "
            f"the nearest is {min(max(tokens, 1), _POSITIONS)}"
        )
    b = GraphBuilder(name)
    words, segments = b.input(1, tokens, name="tokens"), b.input(1, tokens, name="segments")
    return b, words, segments, b.mul(b.input(1, 1, 1, tokens, name="mask"))


def _attention(
    b: GraphBuilder, x: str, values: str, heads: int, features: int, prefix: str, mask: str | None = None
) -> str:
    """Multi-head attention without its output projection: queries and keys of `x`, values of `values`."""
    q, k, v = (
        _split_heads(b, b.linear(source, features, name=f"{prefix}.{role}"), heads)
        for role, source in (("query", x), ("key", x), ("value", values))
    )
    scores = b.matmul(q, k, transpose_b=True, name=f"{prefix}.scores")
    if mask is not None:
        scores = b.add_(scores, mask)
    context = b.transpose(b.matmul(b.softmax(scores), v, name=f"{prefix}.context"), (0, 2, 1, 3))
    return b.reshape(context, *b.shape(values)[:2], features)


def _split_heads(b: GraphBuilder, x: str, heads: int) -> str:
    n, tokens, _ = b.shape(x)
    return b.transpose(b.reshape(x, n, tokens, heads, -1), (0, 2, 1, 3))


def _gelu_ffn(b: GraphBuilder, x: str, inner: int, prefix: str) -> str:
    wide = b.activation(b.linear(x, inner, name=f"{prefix}.ffn.in"), "gelu")
    return b.linear(wide, b.shape(x)[-1], name=f"{prefix}.ffn.out")


def _mobilebert_block(b: GraphBuilder, x: str, mask: str, prefix: str) -> str:
    inner = b.linear(x, 128, name=f"{prefix}.bottleneck")
    shared = b.linear(x, 128, name=f"{prefix}.shared")
    context = _attention(b, shared, x, 4, 128, f"{prefix}.attention", mask)
    y = _scale_and_shift(b, b.add_(b.linear(context, 128, name=f"{prefix}.attention.out"), inner))
    for i in range(4):
        wide = b.linear(y, 512, activation="relu", name=f"{prefix}.ffn_{i}.in")
        y = _scale_and_shift(b, b.add_(b.linear(wide, 128, name=f"{prefix}.ffn_{i}.out"), y))
    return _scale_and_shift(b, b.add_(b.linear(y, 512, name=f"{prefix}.out"), x))


def _with_neighbours(b: GraphBuilder, x: str) -> str:
    """Each token's features between those of the next and of the previous one, zeros past the ends."""
    n, tokens, features = b.shape(x)
    if tokens == 1:
        return b.add("pad", [x], (n, 1, 3 * features))
    moved = []
    for start, padding in ((1, (0, 1)), (0, (1, 0))):
        part = b.add("slice", [x], (n, tokens - 1, features), axis=1, start=start)
        moved.append(b.add("pad", [part], (n, tokens, features), axis=1, padding=padding))
    return b.concat(moved[0], x, moved[1], axis=2)


def _with_constant(b: GraphBuilder, x: str, function: str, weights: int) -> str:
    """Element-wise function of `x` and a constant of that many elements."""
    return b.add("eltwise", [x], b.shape(x), weights=weights, function=function)


def _scale_and_shift(b: GraphBuilder, x: str) -> str:
    features = b.shape(x)[-1]
    return _with_constant(b, _with_constant(b, x, "mul", features), "add", features)


def _first_token(b: GraphBuilder, x: str) -> str:
    n, _, features = b.shape(x)
    first = b.add("slice", [x], (n, 1, features), axis=1, start=0)
    return b.reshape(first, n, features)
