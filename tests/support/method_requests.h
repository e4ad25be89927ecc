// Every caching method, and small requests for them, as laws about all methods need them.
#pragma once

#include <string>
#include <vector>

#include "generate/engine.h"
#include "support/model_fixture.h"

namespace unmask::testing {

/// Caching methods and their variants that the checkpoint `model` can run.
inline std::vector<std::string> methods_of(const std::string& model) {
  std::vector<std::string> list{"fast-dllm",
                                "fast-dllm:cache=dual",
                                "sparse-dllm",
                                "sparse-dllm:keep=0.3,kernel=1,delay=0",
                                "sparse-dllm:keep=0,delay=3",
                                "sparse-dllm:prefix_only=true,kernel=5",
                                "dllm-cache:prompt_interval=4,gen_interval=3",
                                "dllm-cache:prompt_interval=3,gen_interval=5,transfer=0",
                                "dkv-cache:refresh=3",
                                "maskkv:keep=0.4",
                                "maskkv:keep=0,delay=0",
                                "streaming-dllm:window=6,alpha=0.5",
                                "streaming-dllm:window=0",
                                "sparse-dllm:keep=0.4+sparsed:skip=0,select=0.3,block=8",
                                "sparse-dllm:score=random",
                                "fast-dllm:cache=dual+sliding-window:window=16,block=8",
                                "dkv-cache:refresh=3+sparsed:skip=0,select=0.3,block=8,every=2",
                                "maskkv+streaming-llm:window=16,block=8",
                                "fast-dllm:cache=dual,refresh=window,before=1,after=0",
                                "fast-dllm:refresh=window,window_every=2,prompt_every=2",
                                "sparse-dllm:keep=0.4,refresh=window,suffix=keep",
                                "sparse-dllm:delay=0,prompt_every=2,prefix_only=true",
                                "maskkv:keep=0.4,refresh=window,before=1,full_every=9",
                                "streaming-dllm:window=6,refresh=window,before=0",
                                "flash-cache:active=4,masks=9,decided=5",
                                "es-dllm:block_update=4,prompt_update=16",
                                "es-dllm:second_at=0.5,second_keep=0.1,alpha=1"};
  if (model.starts_with("llada")) {
    list.emplace_back("dkv-cache:variant=greedy,refresh=3,window=2");
  } else {
    list.emplace_back("dkv-cache:shift=un_right");
    list.emplace_back("dkv-cache:variant=prefill");
    list.emplace_back("dkv-cache:variant=pd");
  }
  return list;
}

/// A prompt of arbitrary tokens and a sampler that the model and the method know.
inline Request method_request(const LoadedModel& model, const std::string& method,
                              int prompt_length, int gen_length, int block, int steps) {
  std::vector<TokenId> prompt;
  prompt.reserve(static_cast<size_t>(prompt_length));
  for (int i = 0; i < prompt_length; ++i) prompt.push_back((i * 37 + 11) % 400);
  Request r = append_masks(prompt, gen_length, model.config.mask_id);
  r.method = method;
  r.block_length = block;
  r.steps = steps;
  if (model.config.family == Family::dream) r.sampler.algorithm = Algorithm::maskgit_plus;
  if (method.find("greedy") != std::string::npos) r.sampler.algorithm = Algorithm::random;
  return r;
}

}  // namespace unmask::testing
