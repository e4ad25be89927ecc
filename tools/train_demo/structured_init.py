"""Structured initialisation: heads that look at neighbours, and heads that match and copy.

From random weights a small model needs very many tokens before it copies what a text says. Here the
circuit is laid out by hand and training refines it: layers 0 and 2 hold heads that tell each token
who stands beside it, layers 1 and 3 heads that look for places with the same neighbours and copy
the token there. Further layers start from random weights.

Residual stream, from element 0: a constant; 127 elements of token identity; 64 of what stands to
the left; 64 of what stands to the right.
"""

from __future__ import annotations

import math

import torch

from model import HEAD, Block, Model

IDENTITY = slice(1, 128)
LEFT, RIGHT = 128, 192
PAIRS = HEAD // 2
CONSTANT = 0.5  # element 0 of every embedding; the identity has length 1
NOISE = 0.01
SHARPNESS = 4.8  # attention logit per rotary pair at the wanted distance
MATCH = 18.0  # attention logit of equal neighbours
PENALTY = 25.0  # taken from the logit of keys that are masks themselves
FAST_PAIRS = 8  # rotary pairs that tell near distances apart


class _Init:
    def __init__(self, model: Model, mask: int, seed: int) -> None:
        self.model = model
        self.generator = torch.Generator().manual_seed(seed)
        c = model.config
        self.frequency = c.theta ** (-torch.arange(PAIRS).float() / PAIRS)
        embedding = model.embedding.data
        embedding.zero_()
        identity = self.normal(c.vocabulary, 127)
        embedding[:, IDENTITY] = identity / identity.norm(dim=1, keepdim=True)
        embedding[:, 0] = CONSTANT
        self.mask = embedding[mask, IDENTITY].clone()
        head = model.head.data
        head.copy_(0.6 * embedding)
        head[:, 0] = 0
        head[mask] = 0

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator)

    def orthonormal(self, rows: int, columns: int) -> torch.Tensor:
        return torch.linalg.qr(self.normal(columns, rows))[0].T.contiguous()

    def quieten(self, block: Block) -> None:
        for weight in (block.q, block.kv, block.attn_out):
            weight.data.copy_(NOISE * self.normal(*weight.shape))
        block.gate_up.data.mul_(0.5)

    def neighbours(self, block: Block) -> None:
        """Heads at distances -1, +1, about -2.5 and about +2.5, which copy identities."""
        self.quieten(block)
        q, (k, v), out = block.q.data, block.kv.data.chunk(2), block.attn_out.data
        gain = 16 / math.sqrt(1 + CONSTANT**2)  # of the norm before the layer
        copy = self.orthonormal(HEAD, 127)
        copy -= torch.outer(copy @ self.mask, self.mask)
        turn = self.orthonormal(HEAD, HEAD)
        fast = torch.arange(FAST_PAIRS)
        for h, (distance, target, near) in enumerate(
                [(-1, LEFT, True), (1, RIGHT, True), (-2.5, LEFT, False), (2.5, RIGHT, False)]):
            rows = slice(h * HEAD, (h + 1) * HEAD)
            size = math.sqrt(8 * SHARPNESS * (1 if near else 0.5)) / (CONSTANT * gain)
            phase = -distance * self.frequency[:FAST_PAIRS]
            k[h * HEAD + fast, 0] += size
            q[h * HEAD + fast, 0] += size * phase.cos()
            q[h * HEAD + PAIRS + fast, 0] -= size * phase.sin()
            v[rows, IDENTITY] += copy / gain
            place = torch.eye(HEAD) if near else 0.7 * turn
            out[target:target + HEAD, rows] += math.sqrt(2) * place

    def matching(self, block: Block) -> None:
        """Heads whose queries and keys are the neighbours, in the slow rotary pairs."""
        self.quieten(block)
        q, (k, v), out = block.q.data, block.kv.data.chunk(2), block.attn_out.data
        gain = 16 / math.sqrt(1 + CONSTANT**2 + 2 * 1.25)
        size = math.sqrt(8 * MATCH * 2) / gain
        slow = torch.cat([torch.arange(16, 31), torch.arange(48, 63)])
        for h, source in enumerate([LEFT, RIGHT, LEFT, RIGHT]):
            rows = slice(h * HEAD, (h + 1) * HEAD)
            project = size * self.orthonormal(30, HEAD)
            q[h * HEAD + slow, source:source + HEAD] += project
            k[h * HEAD + slow, source:source + HEAD] += project
            q[h * HEAD + 31, 0] += 8 / (CONSTANT * gain)
            k[h * HEAD + 31, IDENTITY] -= PENALTY * self.mask / gain
            copy = self.orthonormal(HEAD, 127)
            v[rows, IDENTITY] += copy / gain
            out[IDENTITY, rows] += copy.T


def structured_init(model: Model, mask: int, seed: int) -> None:
    """Overwrites embedding, head and the attention of the first four layers (width 256)."""
    init = _Init(model, mask, seed)
    for layer, block in enumerate(model.blocks[:4]):
        (init.neighbours if layer % 2 == 0 else init.matching)(block)
