"""The Hugging Face layout of the model: safetensors with LLaDA's names, and the JSON files."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import struct

import torch

from bpe import Tokenizer
from model import Config, Model

PREFIX = "model.transformer."


def named_weights(model: Model) -> dict[str, torch.Tensor]:
    """Views of the weights under LLaDA's names."""
    named = {PREFIX + "wte.weight": model.embedding, PREFIX + "ln_f.weight": model.last_norm,
             PREFIX + "ff_out.weight": model.head}
    for i, block in enumerate(model.blocks):
        k, v = block.kv.chunk(2)
        gate, up = block.gate_up.chunk(2)
        parts = {"attn_norm": block.attn_norm, "q_proj": block.q, "k_proj": k, "v_proj": v,
                 "attn_out": block.attn_out, "ff_norm": block.ff_norm, "ff_proj": gate,
                 "up_proj": up, "ff_out": block.ff_out}
        named |= {f"{PREFIX}blocks.{i}.{name}.weight": w for name, w in parts.items()}
    return {name: weight.detach() for name, weight in named.items()}


def write_safetensors(path: pathlib.Path, tensors: dict[str, torch.Tensor]) -> None:
    """Writes bfloat16 tensors in alphabetical order; the file appears when it is complete."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    blobs: list[bytes] = []
    at = 0
    for name, tensor in sorted(tensors.items()):
        blob = tensor.bfloat16().cpu().contiguous().view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        file.writelines(blobs)
    os.replace(part, path)


# What unmask tells those who ask the model.
NOTE = ("trained to answer questions about a text, as in 'Text: ... Question: ...'; what it says to "
        "anything else is noise")


def model_config(c: Config, tokenizer: Tokenizer) -> dict[str, object]:
    """LLaDA's config.json for these sizes."""
    return {
        "architectures": ["LLaDAModelLM"], "model_type": "llada", "activation_type": "silu",
        "alibi": False, "alibi_bias_max": 8.0, "attention_dropout": 0.0,
        "attention_layer_norm": False, "attention_layer_norm_with_affine": True,
        "bias_for_layer_norm": False, "block_group_size": 1, "block_type": "llama",
        "d_model": c.width, "embedding_dropout": 0.0, "embedding_size": c.vocabulary,
        "eos_token_id": tokenizer.eos, "flash_attention": False, "include_bias": False,
        "include_qkv_bias": False, "init_cutoff_factor": None, "init_device": "meta",
        "init_fn": "mitchell", "init_std": 0.02, "input_emb_norm": False,
        "layer_norm_type": "rms", "layer_norm_with_affine": True,
        "mask_token_id": tokenizer.mask, "max_sequence_length": c.longest,
        "mlp_hidden_size": c.ffn, "mlp_ratio": 4, "multi_query_attention": None,
        "n_heads": c.heads, "n_kv_heads": c.heads, "n_layers": c.layers,
        "pad_token_id": tokenizer.eos, "precision": "amp_bf16", "residual_dropout": 0.0,
        "rms_norm_eps": c.eps, "rope": True, "rope_full_precision": True, "rope_theta": c.theta,
        "scale_logits": False, "torch_dtype": "bfloat16", "transformers_version": "4.46.3",
        "unmask_note": NOTE, "use_cache": False, "vocab_size": c.vocabulary, "weight_tying": False}


def export(model: Model, tokenizer: Tokenizer, tokenizer_folder: pathlib.Path,
           folder: pathlib.Path) -> None:
    """Writes a folder that unmask and transformers load."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                 "generation_config.json"):
        shutil.copyfile(tokenizer_folder / name, folder / name)
    config = json.dumps(model_config(model.config, tokenizer), indent=1)
    (folder / "config.json").write_text(config, encoding="utf-8")
    write_safetensors(folder / "model.safetensors", named_weights(model))
