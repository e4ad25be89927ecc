"""The demo model: LLaDA's architecture (arXiv:2502.09992), small.

All weights lie in one flat float32 vector, so that processes share, average and update them with
few operations; the matrices are views of it. Matrix products run in bfloat16, the residual stream
and the optimiser in float32.
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F

HEAD = 64


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes of the model; heads have 64 elements."""

    layers: int = 5
    width: int = 256
    ffn: int = 768
    vocabulary: int = 2048
    theta: float = 500000.0
    eps: float = 1e-5
    longest: int = 4096

    @property
    def heads(self) -> int:
        return self.width // HEAD


@dataclasses.dataclass
class Block:
    """Weights of one layer; `kv` is keys above values, `gate_up` the gate above the up matrix."""

    attn_norm: torch.Tensor
    q: torch.Tensor
    kv: torch.Tensor
    attn_out: torch.Tensor
    ff_norm: torch.Tensor
    gate_up: torch.Tensor
    ff_out: torch.Tensor


def block_shapes(c: Config) -> list[tuple[int, ...]]:
    """Shapes in the order of Block's fields."""
    d, f = c.width, c.ffn
    return [(d,), (d, d), (2 * d, d), (d, d), (d,), (2 * f, d), (d, f)]


def all_shapes(c: Config) -> list[tuple[int, ...]]:
    """Shapes in the order of the flat vector: embedding, blocks, last norm, output head."""
    table = (c.vocabulary, c.width)
    return [table, *(block_shapes(c) * c.layers), (c.width,), table]


def parameter_count(c: Config) -> int:
    return sum(math.prod(shape) for shape in all_shapes(c))


def views(c: Config, flat: torch.Tensor) -> list[torch.Tensor]:
    """The matrices inside a flat vector of weights or gradients."""
    out, at = [], 0
    for shape in all_shapes(c):
        size = math.prod(shape)
        out.append(flat[at:at + size].view(shape))
        at += size
    assert at == flat.numel()
    return out


def rotary_angles(positions: torch.Tensor, theta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines [..., 32] of positions [...]."""
    frequency = theta ** (-torch.arange(0, HEAD, 2, device=positions.device).float() / HEAD)
    angle = positions.float()[..., None] * frequency
    return angle.cos(), angle.sin()


def plain_attention(q: torch.Tensor, kv: torch.Tensor, cos: torch.Tensor,
                    sin: torch.Tensor) -> torch.Tensor:
    """Bidirectional attention of q [B, Tq, D] over kv [B, T, 2 D]; q are the last positions."""
    if cos.dim() == 2:
        cos, sin = cos[None], sin[None]

    def heads(x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (-1, HEAD)).transpose(1, 2)

    def turned(x: torch.Tensor) -> torch.Tensor:
        c, s = cos[:, None, -x.shape[2]:], sin[:, None, -x.shape[2]:]
        a, b = x.float().chunk(2, -1)
        return torch.cat((a * c - b * s, b * c + a * s), -1).to(x.dtype)

    k, v = kv.chunk(2, -1)
    if hasattr(F, "scaled_dot_product_attention"):
        out = F.scaled_dot_product_attention(turned(heads(q)), turned(heads(k)), heads(v))
    else:
        # In float32: scores of about 20, rounded to bfloat16, would be off by up to 0.06.
        scores = turned(heads(q.float())) @ turned(heads(k.float())).transpose(-1, -2)
        out = (scores / math.sqrt(HEAD)).softmax(-1) @ heads(v.float())
    return out.transpose(1, 2).flatten(2).to(q.dtype)


class Model:
    """Weights as views of `flat`; `fast` holds the kernels of fastops.py, or None."""

    def __init__(self, c: Config, flat: torch.Tensor, fast=None) -> None:
        self.config, self.flat, self.fast = c, flat, fast
        self.parameters = [v.detach().requires_grad_() for v in views(c, flat)]
        self.embedding, *inner, self.last_norm, self.head = self.parameters
        n = len(block_shapes(c))
        self.blocks = [Block(*inner[i * n:(i + 1) * n]) for i in range(c.layers)]

    def bind_gradients(self, flat: torch.Tensor) -> None:
        """Lets the gradients accumulate in a flat vector, which the caller sets to zero."""
        for parameter, gradient in zip(self.parameters, views(self.config, flat)):
            parameter.grad = gradient

    def _norm(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        if self.fast:
            return self.fast.rmsnorm(x, w, self.config.eps)
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.config.eps)
        return (x * scale * w).bfloat16()

    def _attention(self, q, kv, cos, sin) -> torch.Tensor:
        if self.fast and q.shape[1] % 64 == 0 and kv.shape[1] % 64 == 0:
            return self.fast.attention(q, kv, cos, sin)
        return plain_attention(q, kv, cos, sin)

    def _feed_forward(self, x: torch.Tensor, block: Block) -> torch.Tensor:
        gate_up = F.linear(self._norm(x, block.ff_norm), block.gate_up.bfloat16())
        if self.fast:
            h = self.fast.swiglu(gate_up)
        else:
            gate, up = gate_up.chunk(2, -1)
            h = F.silu(gate) * up
        return F.linear(h, block.ff_out.bfloat16())

    def hidden(self, tokens: torch.Tensor, positions: torch.Tensor, tail: int) -> torch.Tensor:
        """Residual stream [B, tail, D] of the last `tail` of tokens [B, T].

        positions is [T] or [B, T]. The last layer computes queries for the tail only: nobody
        reads the others.
        """
        cos, sin = rotary_angles(positions, self.config.theta)
        x = F.embedding(tokens, self.embedding)
        for block in self.blocks:
            normed = self._norm(x, block.attn_norm)
            kv = F.linear(normed, block.kv.bfloat16())
            if block is self.blocks[-1] and tail < x.shape[1]:
                x, normed = x[:, -tail:], normed[:, -tail:].contiguous()
            q = F.linear(normed, block.q.bfloat16())
            x = x + F.linear(self._attention(q, kv, cos, sin), block.attn_out.bfloat16())
            x = x + self._feed_forward(x, block)
        return x

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Rows [n, D] of the residual stream to logits [n, vocabulary]."""
        return F.linear(self._norm(hidden, self.last_norm), self.head.bfloat16()).float()


def random_init(model: Model, seed: int) -> None:
    """Ordinary initialisation; structured_init.py overwrites most of it."""
    g = torch.Generator().manual_seed(seed)
    c = model.config
    inner = 0.6 / math.sqrt(c.width)
    outer = 0.02 / math.sqrt(2 * c.layers)

    def fill(weight: torch.Tensor, std: float) -> None:
        weight.data.copy_(torch.randn(weight.shape, generator=g) * std)

    fill(model.embedding, 1 / math.sqrt(c.width))
    fill(model.head, 0.02)
    model.last_norm.data.fill_(1)
    for block in model.blocks:
        block.attn_norm.data.fill_(1)
        block.ff_norm.data.fill_(1)
        for weight, std in ((block.q, inner), (block.kv, inner), (block.attn_out, outer),
                            (block.gate_up, inner), (block.ff_out, outer)):
            fill(weight, std)
