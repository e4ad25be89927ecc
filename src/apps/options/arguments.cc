#include "apps/options/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <random>

#include "core/error.h"
#include "core/parse_number.h"
#include "core/platform/memory.h"
#include "core/platform/processor.h"
#include "generate/prefix_pool.h"
#include "methods/registry.h"
#include "sampling/sampler.h"
#include "session/device.h"
#include "session/profile.h"

namespace unmask {

namespace {

constexpr const char* kModelGroup = "Model";
constexpr const char* kPromptGroup = "Prompt";
constexpr const char* kSamplingGroup = "Generation";
constexpr int kMaxTokens = 1'000'000;
constexpr int kMaxThreads = 1024;
constexpr int kMaxTokenId = (1 << 24) - 1;
constexpr int kMaxBlock = 1 << 20;

std::vector<std::string> algorithm_names() {
  using enum Algorithm;
  std::vector<std::string> names;
  for (const Algorithm a : {low_confidence, random, maskgit_plus, topk_margin, entropy, origin}) {
    names.emplace_back(algorithm_name(a));
  }
  return names;
}

CLI::Option* add_count(CLI::App& app, const std::string& name, std::optional<int>& value,
                       const std::string& help) {
  return app.add_option(name, value, help)
      ->check(CLI::Range(1, kMaxTokens).description(""))
      ->type_name("N")
      ->group(kSamplingGroup);
}

template <typename T>
void add_number(CLI::App& app, const std::string& name, T& value, const std::string& help) {
  app.add_option(name, value, help)->type_name("X")->group(kSamplingGroup);
}

void add_sampler_arguments(CLI::App& app, RequestOptions& g) {
  restrict_to(app.add_option("--algorithm,--alg", g.algorithm,
                             "How masks are ranked (LLaDA: low_confidence; Dream: entropy, "
                             "unless its generation_config.json names another but origin)"),
              algorithm_names())
      ->group(kSamplingGroup);
  add_number(app, "--temperature,--temp", g.temperature, "0: always the likeliest token");
  add_number(app, "--top-p", g.top_p, "Smallest set of tokens of this mass (Dream's algorithms)");
  add_number(app, "--top-k", g.top_k, "The k likeliest tokens (Dream's algorithms)");
  add_number(app, "--alg-temp", g.alg_temp, "Randomness of the ranking (Dream's algorithms)");
  add_number(app, "--eps", g.eps, "End of Dream's time schedule (0.001)");
  add_number(app, "--threshold", g.threshold, "Decide all tokens at least this probable");
  add_number(app, "--edit", g.edit,
             "Replace decided tokens of the block by others that are more probable than this "
             "(LLaDA2.1: 0.9)");
  add_number(app, "--factor", g.factor, "Decide the longest prefix that the factor rule allows");
  add_number(app, "--leap", g.leap,
             "With --threshold: this will do near a token that passes it (LocalLeap: 0.75)");
  add_number(app, "--leap-radius", g.leap_radius, "How near, in positions (4)");
  app.add_flag("--credit", g.credit,
               "Tokens that earlier passes of the block proposed, too, are taken for surer "
               "(CreditDecoding)")
      ->group(kSamplingGroup);
  app.add_option("--drafts", g.drafts,
                 "Canvases that a pass evaluates: the present one and what it may become. The same "
                 "text in fewer passes of more rows, instead of a threshold (FreeDave: 4)")
      ->check(CLI::Range(2, kMaxTokens).description(""))
      ->type_name("N")
      ->group(kSamplingGroup);
  add_number(app, "--cfg-scale,--cfg", g.cfg_scale, "Guidance; above 0 each step takes two passes");
  add_seed_argument(app, g.seed, g.seed_drawn, "Seed of all randomness (0); -1 draws one",
                    kSamplingGroup);
  app.add_flag("--suppress-eos", g.suppress_eos, "End tokens are never chosen")
      ->group(kSamplingGroup);
  app.add_flag("--defer-eos", g.defer_eos, "End tokens are decided last")->group(kSamplingGroup);
  app.add_flag("--attach-eos", g.attach_eos,
               "An end token carries no confidence before the text reaches it (ES-dLLM)")
      ->group(kSamplingGroup);
}

void take_profile(const std::string& file, RequestOptions& g) {
  try {
    g = with_profile(g, read_profile(file));
  } catch (const Error& error) {
    throw CLI::ValidationError("--profile", error.what());
  }
}

void add_preset_argument(CLI::App& app, RequestOptions& g) {
  restrict_to(app.add_option_function<std::string>(
                  "--preset", [&g](const std::string& name) { g.preset = parse_preset(name); },
                  fmt::format("How much is traded for speed ({}); every other option overrides it",
                              preset_name(g.preset))),
              preset_names())
      ->group(kSamplingGroup);
}

}  // namespace

std::string preset_help() {
  std::string text = "Presets:\n";
  for (const PresetSettings& p : presets()) {
    text += fmt::format("  {:<10}{}\n", p.name, p.what);
  }
  return text;
}

Shard chosen_shard(const std::optional<std::string>& option, const ModelArguments& model) {
  if (option) return parse_shard(*option);
  return model.ranks.empty() ? launched_shard().value_or(Shard()) : Shard();
}

CLI::Option* restrict_to(CLI::Option* option, const std::vector<std::string>& values) {
  return option->check(CLI::IsMember(values).description(""))
      ->type_name(fmt::format("{{{}}}", fmt::join(values, ",")));
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  const size_t close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

void add_directory(CLI::App& app, std::string& directory) {
  app.add_option(
         "-m,--model", directory,
         "Model directory, as Hugging Face publishes it, GGUF file, or ORG/NAME[/FILE.gguf] "
         "of the hub's cache")
      ->required()
      ->type_name("DIR|FILE")
      ->group(kModelGroup);
}

void add_override_arguments(CLI::App& app, ModelOverrides& overrides) {
  const auto add = [&](const char* name, std::optional<TokenId>& id, const char* help) {
    app.add_option(name, id, help)
        ->check(CLI::Range(0, kMaxTokenId).description(""))
        ->type_name("N")
        ->group(kModelGroup);
  };
  add("--mask-id", overrides.mask_id, "Token that masks, where the model's files do not say");
  add("--eos-id", overrides.eos_id, "Token that ends a text, where they do not say");
  restrict_to(app.add_option("--family", overrides.family,
                             "Model family, where the configuration names another program's"),
              family_options())
      ->group(kModelGroup);
  app.add_option("--model-block", overrides.block,
                 "Positions of a block of block-causal attention; 0: every position sees all (of "
                 "the model's files; A2D models do not say it: 32 for bd3lm)")
      ->check(CLI::Range(0, kMaxBlock).description(""))
      ->type_name("N")
      ->group(kModelGroup);
  app.add_flag("--shift-logits,!--no-shift-logits", overrides.shift_logits,
               "Whether a row of logits predicts the next position (of the family)")
      ->group(kModelGroup);
}

void add_model_arguments(CLI::App& app, ModelArguments& m) {
  add_directory(app, m.directory);
  restrict_to(app.add_option("--device", m.device,
                             "What computes (cpu; auto: a CUDA device where there is one)"),
              device_names())
      ->group(kModelGroup);
  app.add_option("-t,--threads", m.threads,
                 "Threads to compute with, at most one a processor (one each)")
      ->check(CLI::Range(1, kMaxThreads).description(""))
      ->type_name("N")
      ->group(kModelGroup);
  restrict_to(app.add_option("--dtype", m.dtype,
                             "Type of the weights in memory (auto: bf16 where the model and the "
                             "processor have it, a GGUF file's own); int8 and int4 round them"),
              weight_type_names())
      ->group(kModelGroup);
  app.add_option("--max-memory", m.max_memory,
                 "Gigabytes of this machine that weights and canvases may take together (what is "
                 "free); more is refused before it is loaded")
      ->check(CLI::Range(1e-6, 1e6).description(""))
      ->type_name("GB")
      ->group(kModelGroup);
  app.add_option("--lora", m.adapters,
                 "LoRA adapter, as PEFT saves it, merged into the weights while they are loaded; "
                 "may be given several times")
      ->allow_extra_args(false)
      ->type_name("DIR[:SCALE]")
      ->group(kModelGroup);
  CLI::Option* ranks = restrict_to(
      app.add_option("--ranks", m.ranks,
                     "Several processes compute with the model together (mpi: those that mpirun or "
                     "srun has started)"),
      {"mpi"});
  ranks->group(kModelGroup);
  restrict_to(app.add_option("--split", m.split,
                             "What the processes share: columns (the weights) or rows (of a long "
                             "canvas; each holds all weights)"),
              {"columns", "rows"})
      ->needs(ranks)
      ->group(kModelGroup);
  app.add_flag("--verify-ranks", m.verifies_ranks,
               "Compare what the processes have computed in every step")
      ->needs(ranks)
      ->group(kModelGroup);
  add_override_arguments(app, m.overrides);
}

void add_prefix_cache(CLI::App& app, ModelArguments& m) {
  m.shares_prefixes = true;
  app.add_option("--prefix-cache", m.prefix_cache,
                 "Gigabytes of keys and values kept for prompts that begin alike, of block-causal "
                 "models and of methods with prompt_chunk (0.5); 0: none")
      ->check(CLI::Range(0.0, 1e6).description(""))
      ->type_name("GB")
      ->group(kModelGroup);
}

size_t prefix_cache_bytes(const ModelArguments& arguments, const ModelConfig& config,
                          std::span<const Request> expected) {
  const auto shares = [&](const Request& r) {
    return create_method(r.method, {config, r.sampler.seed})->reusable_block() > 0;
  };
  if (config.visibility.is_block_causal() || std::ranges::any_of(expected, shares)) {
    const double otherwise = arguments.shares_prefixes ? kUsualPrefixes : 0;
    return static_cast<size_t>(arguments.prefix_cache.value_or(otherwise) * 1e9);
  }
  if (arguments.prefix_cache.value_or(0) == 0) return 0;
  fail(
      "[prefix-cache] in this model what follows a prompt changes its keys and values, so there "
      "is nothing to keep; leave --prefix-cache out, or choose a method that computes prompts in "
      "chunks, which is not exact: --method fast-dllm:cache=dual,prompt_chunk=64");
}

int threads_for(int asked, Console& console) {
  const int processors = available_threads();
  if (asked <= processors) return asked == 0 ? processors : asked;
  warn(console, "{} threads on {} processor{} would wait for each other; computing with {}", asked,
       processors, processors == 1 ? "" : "s", processors);
  return processors;
}

std::optional<int64_t> memory_for(const ModelArguments& arguments) {
  if (arguments.max_memory) return static_cast<int64_t>(*arguments.max_memory * 1e9);
  return available_memory();
}

void add_prompt_arguments(CLI::App& app, PromptArguments& p) {
  CLI::Option* text = app.add_option("-p,--prompt", p.text,
                                     "The prompt; without -p and -f it is "
                                     "read from standard input")
                          ->type_name("TEXT")
                          ->group(kPromptGroup);
  app.add_option("-f,--file", p.file, "File with the prompt; one line break at its end is dropped")
      ->type_name("FILE")
      ->group(kPromptGroup)
      ->excludes(text);
}

void add_chat_arguments(CLI::App& app, PromptOptions& c) {
  app.add_option("--system,--system-prompt", c.system, "System text of the conversation")
      ->type_name("TEXT")
      ->group(kPromptGroup);
  restrict_to(
      app.add_option("--template,--chat-template", c.format, "Chat template (the model's own)"),
      ChatTemplate::names())
      ->group(kPromptGroup);
  app.add_option_function<std::string>(
         "--chat-template-kwargs",
         [&c](const std::string& text) {
           try {
             c.variables = read_template_variables(text);
           } catch (const Error& error) {
             throw CLI::ValidationError("--chat-template-kwargs", error.what());
           }
         },
         "Variables of the chat template, e.g. '{\"enable_thinking\": false}'")
      ->type_name("JSON")
      ->group(kPromptGroup);
}

void add_raw_argument(CLI::App& app, bool& raw) {
  app.add_flag("--raw", raw, "Complete the prompt as it is, without a chat template")
      ->group(kPromptGroup)
      ->excludes("--system")
      ->excludes("--template")
      ->excludes("--chat-template-kwargs");
}

void add_seed_argument(CLI::App& app, uint64_t& seed, bool& drawn, const std::string& help,
                       const std::string& group) {
  const auto take = [&seed, &drawn](const std::string& text) {
    drawn = text == "-1";
    if (drawn) {
      seed = std::random_device()();
      return;
    }
    const auto value = parse_number<uint64_t>(text);
    if (!value) {
      throw CLI::ValidationError("--seed",
                                 fmt::format("found {}, expected a number from 0 on, or -1 "
                                             "to draw one",
                                             printable(text, 30)));
    }
    seed = *value;
  };
  app.add_option_function<std::string>("--seed", take, help)->type_name("N")->group(group);
}

void announce_seed(uint64_t seed, bool drawn, Console& console) {
  if (drawn) console.err << fmt::format("unmask: seed {}\n", seed);
}

void add_length_arguments(CLI::App& app, RequestOptions& g) {
  add_count(app, "-n,--gen-length", g.gen_length,
            "Tokens to generate (128, or what Dream's generation_config.json says)");
  add_count(app, "--max-tokens,--max-new-tokens,--n-predict", g.max_tokens,
            "Tokens at most: the canvas begins with -n (here 64, or two blocks) and grows by "
            "blocks while the answer goes on (-n)");
}

void add_denoising_arguments(CLI::App& app, RequestOptions& g) {
  add_preset_argument(app, g);
  add_length_arguments(app, g);
  CLI::Option* steps = add_count(app, "--steps", g.steps,
                                 "Denoising steps in all, evenly spread, instead of a threshold "
                                 "(exact: one a token)");
  add_count(app, "--tokens-per-step", g.tokens_per_step, "The same as tokens of each step")
      ->excludes(steps);
  add_count(app, "--block-length", g.block_length,
            "Tokens denoised together; the last block may be shorter (32; exact with Dream: all)");
  add_sampler_arguments(app, g);
  app.add_flag("--no-early-stop{false}", g.early_stop, "Go on when the answer is complete")
      ->group(kSamplingGroup);
}

void add_generation_arguments(CLI::App& app, RequestOptions& g) {
  // Options are taken over in this order, so what is given beside a profile overrides it.
  CLI::Option* profile =
      app.add_option_function<std::string>(
             "--profile", [&g](const std::string& file) { take_profile(file, g); },
             "Settings that unmask tune has written, instead of a preset; every other option "
             "overrides them")
          ->type_name("FILE")
          ->group(kSamplingGroup);
  add_denoising_arguments(app, g);
  profile->excludes("--preset");
  app.add_option("--method", g.method,
                 "Acceleration method, NAME or NAME:OPTION=VALUE,... (of the preset)")
      ->type_name(fmt::format("{{{}}}", fmt::join(method_names(), ",")))
      ->group(kSamplingGroup);
}

}  // namespace unmask
