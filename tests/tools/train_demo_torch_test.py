"""tools/train_demo: model, initialisation, kernels and export; skipped where torch is missing."""

import argparse
import json
import pathlib
import struct
import sys
import tempfile
import unittest
from random import Random

try:
    import torch
except ImportError:
    print("torch is missing (Debian: python3-torch), nothing checked")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "train_demo"))
import batches  # noqa: E402  (these are found through the path above)
import fastops  # noqa: E402
import model as models  # noqa: E402
import plan  # noqa: E402
import train  # noqa: E402
from bpe import Tokenizer  # noqa: E402
from examples import Builder  # noqa: E402
from export import export  # noqa: E402
from structured_init import structured_init  # noqa: E402

TOKENIZER = ROOT / "models" / "demo"


def small_model(fast=None, layers=2):
    config = models.Config(layers=layers)
    model = models.Model(config, torch.zeros(models.parameter_count(config)), fast)
    models.random_init(model, seed=0)
    return model


def distance(found, wanted):
    return ((found.float() - wanted.float()).norm() / wanted.float().norm()).item()


class ModelTest(unittest.TestCase):
    def test_the_tail_is_what_the_whole_sequence_gives(self):
        model = small_model()
        tokens, positions = torch.randint(0, 2048, (2, 128)), torch.arange(128)
        with torch.no_grad():
            whole = model.hidden(tokens, positions, 128)
            tail = model.hidden(tokens, positions, 64)
        self.assertLess(distance(tail, whole[:, -64:]), 1e-3)

    def test_only_differences_of_positions_count(self):
        model = small_model()
        tokens, positions = torch.randint(0, 2048, (1, 64)), torch.arange(64)
        with torch.no_grad():
            here = model.hidden(tokens, positions, 64)
            there = model.hidden(tokens, positions + 500, 64)
        self.assertLess(distance(there, here), 1e-2)

    def test_structured_weights_copy_before_any_training(self):
        tokenizer = Tokenizer.load(TOKENIZER / "tokenizer.json")
        model = small_model(layers=4)
        structured_init(model, tokenizer.mask, seed=0)
        builder, r = Builder(tokenizer), Random(1)
        texts = [builder.phrases(r, 128) for _ in range(8)]
        ids = torch.tensor([ids for ids, _ in texts])
        masked = torch.tensor([masked for _, masked in texts])
        with torch.no_grad():
            hidden = model.hidden(ids.masked_fill(masked, tokenizer.mask), torch.arange(128), 128)
            guesses = model.logits(hidden[masked]).argmax(-1)
        self.assertGreater((guesses == ids[masked]).float().mean().item(), 0.15)


class TrainingTest(unittest.TestCase):
    def test_adamw_is_that_of_torch(self):
        torch.manual_seed(0)
        start, gradients = torch.randn(10), torch.randn(3, 10)
        theirs = start.clone().requires_grad_()
        optimiser = torch.optim.AdamW([theirs], lr=1e-2, betas=train.BETAS, eps=train.EPSILON,
                                      weight_decay=train.DECAY)
        state = train.State(start.clone(), torch.zeros(10), torch.zeros(10))
        for gradient in gradients:
            theirs.grad = gradient.clone()
            optimiser.step()
            train.adamw(state, gradient, slice(0, 10), 1e-2)
            state.step += 1
        self.assertLess(distance(state.weights, theirs.detach()), 1e-5)

    def test_a_run_goes_on_where_it_stopped(self):
        with tempfile.TemporaryDirectory() as folder:
            options = argparse.Namespace(out=pathlib.Path(folder), tokenizer=TOKENIZER, layers=4,
                                         plan=ROOT / "tools" / "train_demo" / "plan.json", seed=0,
                                         device="cpu", plain=True, random_init=False)
            state = train.initial_state(options)
            state.step, state.tokens = 7, 8192
            state.save(options.out / "state.pt")
            again = train.initial_state(options)
        self.assertEqual((again.step, again.tokens), (7, 8192))
        self.assertTrue(torch.equal(again.weights, state.weights))

    def test_steps_lower_the_loss(self):
        tokenizer = Tokenizer.load(TOKENIZER / "tokenizer.json")
        model = small_model(layers=4)
        structured_init(model, tokenizer.mask, seed=0)
        gradient = torch.zeros_like(model.flat)
        model.bind_gradients(gradient)
        phase = plan.load(ROOT / "tools" / "train_demo" / "plan.json")[0]
        batch = batches.micro_batch(Builder(tokenizer), phase, 0, 0, 0)
        batch.sequences = batch.sequences[:2]
        state = train.State(model.flat, torch.zeros_like(gradient), torch.zeros_like(gradient))
        losses = []
        for _ in range(4):
            gradient.zero_()
            tally = train.Tally()
            train.run_micro_batch(model, batch, tokenizer.mask, tally, 1.0)
            losses.append(tally.take()["loss " + batch.name])
            train.adamw(state, gradient, slice(None), 1e-3)
            state.step += 1
        self.assertLess(losses[-1], 0.8 * losses[0])


class ExportTest(unittest.TestCase):
    def test_layout_of_the_safetensors_file(self):
        model = small_model(layers=1)
        tokenizer = Tokenizer.load(TOKENIZER / "tokenizer.json")
        with tempfile.TemporaryDirectory() as folder:
            export(model, tokenizer, TOKENIZER, pathlib.Path(folder))
            data = (pathlib.Path(folder) / "model.safetensors").read_bytes()
            config = json.loads((pathlib.Path(folder) / "config.json").read_text("utf-8"))
        size, = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + size])
        entry = header["model.transformer.blocks.0.v_proj.weight"]
        self.assertEqual((entry["dtype"], entry["shape"]), ("BF16", [256, 256]))
        start, end = entry["data_offsets"]
        stored = torch.frombuffer(bytearray(data[8 + size + start:8 + size + end]),
                                  dtype=torch.bfloat16).view(256, 256)
        wanted = model.blocks[0].kv.detach()[256:].bfloat16()
        self.assertTrue(torch.equal(stored, wanted))
        self.assertEqual(len(data), 8 + size + 2 * models.parameter_count(model.config))
        self.assertEqual((config["n_layers"], config["mask_token_id"]), (1, 2042))


@unittest.skipUnless(fastops.load(), "kernels are not built, or no AVX512-BF16 here")
class KernelsTest(unittest.TestCase):
    """Kernels against float32; the bound is a few roundings to bfloat16."""

    BOUND = 0.01

    @classmethod
    def setUpClass(cls):
        cls.fast = fastops.load()
        torch.manual_seed(0)

    def check(self, fast, exact, *inputs):
        """Results and gradients of both, for bfloat16 or float32 inputs."""
        outcomes = []
        for function, convert in ((fast, lambda x: x), (exact, torch.Tensor.float)):
            leaves = [convert(x.clone()).requires_grad_() for x in inputs]
            out = function(*leaves)
            gradient = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
            out.backward(gradient.bfloat16().to(out.dtype))
            outcomes.append([out.detach(), *(leaf.grad for leaf in leaves)])
        for found, wanted in zip(*outcomes):
            self.assertLess(distance(found, wanted), self.BOUND)

    def test_attention(self):
        for positions in (torch.arange(320), torch.stack([torch.arange(320)] * 2) * 3):
            for queries in (64, 320):
                q = torch.randn(2, queries, 256).bfloat16()
                kv = torch.randn(2, 320, 512).bfloat16()
                cos, sin = models.rotary_angles(positions, 500000.0)
                self.check(lambda a, b: self.fast.attention(a, b, cos, sin),
                           lambda a, b: models.plain_attention(a, b, cos, sin), q, kv)

    def test_rmsnorm(self):
        def exact(x, w):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * w

        self.check(lambda x, w: self.fast.rmsnorm(x, w, 1e-5), exact, 3 * torch.randn(5, 7, 256),
                   torch.rand(256) + 0.5)

    def test_swiglu(self):
        def exact(gate_up):
            gate, up = gate_up.chunk(2, -1)
            return torch.nn.functional.silu(gate) * up

        self.check(self.fast.swiglu, exact, 8 * torch.randn(9, 2 * 768).bfloat16())


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
