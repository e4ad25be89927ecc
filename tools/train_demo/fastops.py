"""The kernels in kernels/ as differentiable torch functions.

    cmake --build --preset release --target train_demo_kernels

builds them. Without them, or on a processor without AVX512-BF16, the model computes with plain torch
operations instead.
"""

from __future__ import annotations

import ctypes
import pathlib

import torch

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build" / "release"
NAME = "libtrain_demo_kernels.so"


class _Shape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int)
                for name in ("batch", "queries", "keys", "heads", "angles_per_example")]


class _Inputs(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("q", "kv", "cos", "sin")]


def _pointer(tensor: torch.Tensor) -> ctypes.c_void_p:
    assert tensor.is_contiguous()
    return ctypes.c_void_p(tensor.data_ptr())


def _machine_has_bf16() -> bool:
    info = pathlib.Path("/proc/cpuinfo")
    return info.exists() and "avx512_bf16" in info.read_text(encoding="utf-8")


def load() -> FastOps | None:
    """The kernels, or None where they are not built or the processor cannot run them."""
    library = next(BUILD.rglob(NAME), None)
    if library is None or not _machine_has_bf16():
        return None
    return FastOps(ctypes.CDLL(str(library)))


class FastOps:
    """bfloat16 operations with hand-written gradients, one thread."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.attention, self.rmsnorm, self.swiglu = _functions(library)


def _functions(library: ctypes.CDLL):  # noqa: ANN202, a tuple of callables
    class Attention(torch.autograd.Function):
        """q [B, Tq, D], kv [B, T, 2 D], cos and sin [(B,) T, 32] to [B, Tq, D], heads of 64."""

        @staticmethod
        def forward(ctx, q, kv, cos, sin):
            batch, queries, width = q.shape
            shape = _Shape(batch, queries, kv.shape[1], width // 64, int(cos.dim() == 3))
            inputs = _Inputs(*(t.data_ptr() for t in (q, kv, cos, sin)))
            out = torch.empty_like(q)
            lse = torch.empty(batch, width // 64, queries)
            library.attention_forward(ctypes.byref(shape), ctypes.byref(inputs), _pointer(out),
                                      _pointer(lse))
            ctx.save_for_backward(q, kv, cos, sin, out, lse)
            ctx.shape = shape
            return out

        @staticmethod
        def backward(ctx, dout):
            q, kv, cos, sin, out, lse = ctx.saved_tensors
            inputs = _Inputs(*(t.data_ptr() for t in (q, kv, cos, sin)))
            dq, dkv = torch.empty_like(q), torch.empty_like(kv)
            library.attention_backward(
                ctypes.byref(ctx.shape), ctypes.byref(inputs), _pointer(out),
                _pointer(dout.contiguous()), _pointer(lse), _pointer(dq), _pointer(dkv))
            return dq, dkv, None, None

    class RmsNorm(torch.autograd.Function):
        """x [..., D] float32 and w [D] to bfloat16."""

        @staticmethod
        def forward(ctx, x, w, eps):
            x = x.contiguous()
            dim = x.shape[-1]
            rows = x.numel() // dim
            y = torch.empty(x.shape, dtype=torch.bfloat16)
            scale = torch.empty(rows)
            library.rmsnorm_forward(_pointer(x), _pointer(w), rows, dim, ctypes.c_float(eps),
                                    _pointer(y), _pointer(scale))
            ctx.save_for_backward(x, w, scale)
            return y

        @staticmethod
        def backward(ctx, dy):
            x, w, scale = ctx.saved_tensors
            dx, dw = torch.empty_like(x), torch.zeros_like(w)
            library.rmsnorm_backward(_pointer(dy.contiguous()), _pointer(x), _pointer(w),
                                     _pointer(scale), scale.numel(), x.shape[-1], _pointer(dx),
                                     _pointer(dw))
            return dx, dw, None

    class SwiGlu(torch.autograd.Function):
        """gate_up [..., 2 F] to silu(gate) * up [..., F]."""

        @staticmethod
        def forward(ctx, gate_up):
            gate_up = gate_up.contiguous()
            dim = gate_up.shape[-1] // 2
            h = torch.empty(gate_up.shape[:-1] + (dim,), dtype=torch.bfloat16)
            library.swiglu_forward(_pointer(gate_up), h.numel() // dim, dim, _pointer(h))
            ctx.save_for_backward(gate_up)
            return h

        @staticmethod
        def backward(ctx, dh):
            (gate_up,) = ctx.saved_tensors
            dim = gate_up.shape[-1] // 2
            gradient = torch.empty_like(gate_up)
            library.swiglu_backward(_pointer(dh.contiguous()), _pointer(gate_up),
                                    gate_up.numel() // (2 * dim), dim, _pointer(gradient))
            return gradient

    return Attention.apply, RmsNorm.apply, SwiGlu.apply
