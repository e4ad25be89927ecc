// What adapters make of weights, compared with a plain merge in float32.
#include "model/adaptation.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "io/containers/checkpoint.h"
#include "kernels/create_backend.h"
#include "model/weights.h"
#include "support/lora_files.h"
#include "support/small_config.h"

namespace unmask {
namespace {

using nlohmann::json;
using testing::add_pair;
using ::testing::AllOf;
using testing::file_bytes;
using testing::FileTensor;
using testing::FileTensors;
using ::testing::HasSubstr;
using testing::lora_config;
using testing::random_tensor;
using testing::small;
using testing::TempDir;
using testing::tensor_of;
using testing::values_of;
using testing::write_adapter;

/// W + scale B A, as one writes it down.
std::vector<float> plain_merge(const std::vector<float>& w, const FileTensor& a,
                               const FileTensor& b, float scale) {
  const auto rank = static_cast<size_t>(a.shape[0]);
  const auto in = static_cast<size_t>(a.shape[1]);
  const std::vector<float> left = values_of(b);
  const std::vector<float> right = values_of(a);
  std::vector<float> out = w;
  for (size_t o = 0; o < w.size() / in; ++o) {
    for (size_t i = 0; i < in; ++i) {
      float sum = 0;
      for (size_t j = 0; j < rank; ++j) sum += left[o * rank + j] * right[j * in + i];
      out[o * in + i] += scale * sum;
    }
  }
  return out;
}

std::string module_of(const TensorSpec& spec) {
  return spec.name.substr(0, spec.name.size() - std::string_view(".weight").size());
}

StoredTensor stored(const FileTensor& t) {
  return {t.dtype, t.shape, std::as_bytes(std::span(t.bytes.data(), t.bytes.size()))};
}

void expect_close(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << i;
  }
}

struct Layout {
  const char* name;
  std::vector<TensorRole> roles;
  int rank;
  double alpha;
  bool use_rslora;
  float scale;  // the user's
};

class AdaptationTest : public ::testing::TestWithParam<Family> {
 protected:
  AdaptationTest() : config_(small(GetParam())), specs_(tensor_specs(config_)) {}

  std::string reason(const FileTensors& tensors) {
    write_adapter(dir_, lora_config(2, 4), tensors);
    try {
      const LoraAdapter adapter(dir_.path());
      const ScaledAdapter scaled{&adapter, 1};
      const Adaptation adaptation({&scaled, 1}, config_);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

  ModelConfig config_;
  std::vector<TensorSpec> specs_;
  std::mt19937 random_;
  ThreadPool pool_{2};
  TempDir dir_;
};

TEST_P(AdaptationTest, IsTheMergeInFloat32) {
  using enum TensorRole;
  const std::vector<TensorRole> linear{q, k, v, attn_out, gate, up, down};
  for (const Layout& layout :
       {Layout{"q and v", {q, v}, 8, 16, false, 1}, Layout{"all linear", linear, 1, 2, false, 1},
        Layout{"wide", linear, 64, 32, true, 0.5F}, Layout{"odd", {down}, 3, 7, true, -1.25F}}) {
    for (const std::string dtype : {"F32", "F16", "BF16"}) {
      FileTensors tensors;
      for (const TensorSpec& spec : specs_) {
        if (std::count(layout.roles.begin(), layout.roles.end(), spec.role) == 0) continue;
        add_pair(tensors, random_, module_of(spec), spec.shape, layout.rank, dtype);
      }
      json config = lora_config(layout.rank, layout.alpha);
      config["use_rslora"] = layout.use_rslora;
      write_adapter(dir_, config, tensors);
      const LoraAdapter adapter(dir_.path());
      const ScaledAdapter scaled{&adapter, layout.scale};
      const Adaptation adaptation({&scaled, 1}, config_);
      const double rank = layout.rank;
      const double scale =
          layout.scale * layout.alpha / (layout.use_rslora ? std::sqrt(rank) : rank);
      for (const TensorSpec& spec : specs_) {
        const bool changed = std::count(layout.roles.begin(), layout.roles.end(), spec.role) > 0;
        ASSERT_EQ(adaptation.changes(spec), changed) << layout.name << ' ' << spec.name;
        if (!changed) continue;
        const FileTensor w = random_tensor(random_, spec.shape, dtype);
        const std::string name = "base_model.model." + module_of(spec);
        expect_close(adaptation.merged(spec, stored(w), pool_),
                     plain_merge(values_of(w), tensors[name + ".lora_A.weight"],
                                 tensors[name + ".lora_B.weight"], static_cast<float>(scale)));
      }
    }
  }
}

TEST_P(AdaptationTest, SeveralAdaptersAddUpAndOneMayReplace) {
  const TensorSpec& spec = specs_[2];
  FileTensors first;
  add_pair(first, random_, module_of(spec), spec.shape, 2);
  FileTensors second;
  add_pair(second, random_, module_of(spec), spec.shape, 2);
  second["base_model.model." + spec.name] = random_tensor(random_, spec.shape, "F16");
  const TempDir other;
  write_adapter(dir_, lora_config(2, 4), first);
  write_adapter(other, lora_config(2, 6), second);
  const LoraAdapter one(dir_.path());
  const LoraAdapter two(other.path());
  const ScaledAdapter both[] = {{&one, 1}, {&two, 0.5F}};
  const Adaptation adaptation(both, config_);
  const FileTensor w = random_tensor(random_, spec.shape);
  const StoredTensor stored_w = stored(w);
  const StoredTensor& base = adaptation.base_of(spec, stored_w);
  EXPECT_EQ(base.dtype, "F16");
  const std::string name = "base_model.model." + module_of(spec);
  std::vector<float> expected = values_of(second["base_model.model." + spec.name]);
  expected =
      plain_merge(expected, first[name + ".lora_A.weight"], first[name + ".lora_B.weight"], 2);
  expected =
      plain_merge(expected, second[name + ".lora_A.weight"], second[name + ".lora_B.weight"], 1.5F);
  expect_close(adaptation.merged(spec, base, pool_), expected);

  const ScaledAdapter twice[] = {{&two, 1}, {&two, 1}};
  EXPECT_THROW(Adaptation(twice, config_), Error);
}

TEST_P(AdaptationTest, EmbeddingsAreTransposed) {
  const TensorSpec& spec = specs_.front();
  FileTensors tensors;
  const std::string name = "base_model.model." + module_of(spec);
  tensors[name + ".lora_embedding_A"] = random_tensor(random_, {2, spec.shape[0]});
  tensors[name + ".lora_embedding_B"] = random_tensor(random_, {spec.shape[1], 2});
  write_adapter(dir_, lora_config(2, 2), tensors);
  const LoraAdapter adapter(dir_.path());
  const ScaledAdapter scaled{&adapter, 1};
  const FileTensor w = random_tensor(random_, spec.shape);
  const std::vector<float> a = values_of(tensors[name + ".lora_embedding_A"]);
  const std::vector<float> b = values_of(tensors[name + ".lora_embedding_B"]);
  std::vector<float> expected = values_of(w);
  const auto vocab = static_cast<size_t>(spec.shape[0]);
  const auto dim = static_cast<size_t>(spec.shape[1]);
  for (size_t t = 0; t < vocab; ++t) {
    for (size_t d = 0; d < dim; ++d) {
      expected[t * dim + d] += b[d * 2] * a[t] + b[d * 2 + 1] * a[vocab + t];
    }
  }
  expect_close(Adaptation({&scaled, 1}, config_).merged(spec, stored(w), pool_), expected);
}

TEST_P(AdaptationTest, AnotherBaseIsRefusedByNameAndShape) {
  FileTensors tensors;
  add_pair(tensors, random_, module_of(specs_[2]), {8, 12}, 2);
  EXPECT_THAT(reason(tensors), AllOf(HasSubstr(specs_[2].name), HasSubstr("[8, 12]"),
                                     HasSubstr("[8, 8]"), HasSubstr("some/base")));
  tensors.clear();
  add_pair(tensors, random_, "model.layers.7.self_attn.q_proj", {8, 8}, 2);
  EXPECT_THAT(reason(tensors), AllOf(HasSubstr("model.layers.7.self_attn.q_proj"),
                                     HasSubstr("some/base"), HasSubstr("2 layers")));
  tensors.clear();
  tensors["base_model.model." + specs_.back().name] = random_tensor(random_, {11, 8});
  EXPECT_THAT(reason(tensors), AllOf(HasSubstr("[11, 8]"), HasSubstr("[10, 8]")));
}

TEST_P(AdaptationTest, WeightsAreMergedWhileTheyAreLoaded) {
  FileTensors weights;
  FileTensors merged;
  FileTensors tensors;
  for (const TensorSpec& spec : specs_) {
    weights[spec.name] = random_tensor(random_, spec.shape, "BF16");
    merged[spec.name] = weights[spec.name];
    if (spec.shape.size() != 2 || spec.role == TensorRole::embedding) continue;
    add_pair(tensors, random_, module_of(spec), spec.shape, 3);
    const std::string name = "base_model.model." + module_of(spec);
    merged[spec.name] = tensor_of(
        spec.shape, plain_merge(values_of(weights[spec.name]), tensors[name + ".lora_A.weight"],
                                tensors[name + ".lora_B.weight"], 2));
  }
  write_adapter(dir_, lora_config(3, 6), tensors);
  const LoraAdapter adapter(dir_.path());
  const ScaledAdapter scaled{&adapter, 1};
  const TempDir base;
  const TempDir expected;
  base.write("model.safetensors", file_bytes(weights));
  expected.write("model.safetensors", file_bytes(merged));
  const Checkpoint checkpoint(base.path());
  const Checkpoint plain(expected.path());
  const auto backend = create_reference_backend();
  const Weights found =
      load_weights(checkpoint, config_, *backend, {.adapters = {&scaled, 1}, .threads = 2});
  const Weights wanted = load_weights(plain, config_, *backend);

  const Buffer x = backend->allocate(8 * 4);
  const Buffer y = backend->allocate(2 * 10 * 4);
  const std::vector<float> input{1, -2, 0.5F, 0.25F, -1, 3, 0, 1};
  backend->upload(input.data(), x.view(1, 8));
  const auto expect_same = [&](const PackedMatrix& one, const PackedMatrix& two) {
    const int n = one.out();
    const Tensor out = y.view(2, n);
    backend->linear(x.view(1, one.in()), {.weights = &one, .out = out.slice({0, 1})});
    backend->linear(x.view(1, one.in()), {.weights = &two, .out = out.slice({1, 2})});
    std::vector<float> host(2 * static_cast<size_t>(n));
    backend->download(out, host.data());
    for (int i = 0; i < n; ++i) {
      EXPECT_NEAR(host[static_cast<size_t>(i)], host[static_cast<size_t>(n + i)], 1e-5);
    }
  };
  for (size_t l = 0; l < found.layers.size(); ++l) {
    expect_same(*found.layers[l].q, *wanted.layers[l].q);
    expect_same(*found.layers[l].v, *wanted.layers[l].v);
    expect_same(*found.layers[l].attn_out, *wanted.layers[l].attn_out);
    const auto& ffn = std::get<GatedWeights>(found.layers[l].ffn);
    expect_same(*ffn.gate, *std::get<GatedWeights>(wanted.layers[l].ffn).gate);
    expect_same(*ffn.down, *std::get<GatedWeights>(wanted.layers[l].ffn).down);
  }
  expect_same(*found.head, *wanted.head);
}

INSTANTIATE_TEST_SUITE_P(Families, AdaptationTest, ::testing::Values(Family::llada, Family::dream),
                         [](const auto& tested) { return std::string(family_name(tested.param)); });

}  // namespace
}  // namespace unmask
