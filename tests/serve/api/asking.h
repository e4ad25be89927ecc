// Requests to endpoints without a server: what becomes of them, or what they are refused for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "serve/api/chat.h"
#include "serve/api/generation_reply.h"
#include "session/decisions/decide.h"

namespace unmask::testing {

inline ApiContext context_of(const ModelFiles& files) {
  ApiContext context{
      .files = files,
      .costs = Costs(files.config(), element_sizes(DeviceKind::cpu, WeightType::f32)),
      .defaults = {},
      .memory_limit = int64_t{1} << 40,
      .model = "demo"};
  context.defaults.context = 4096;
  context.decisions.decider = std::make_shared<const Decider>(files);
  return context;
}

/// The demo model: LLaDA's chat format, 2,048 tokens.
inline ApiContext demo_context() { return context_of(ModelFiles::open(UNMASK_DEMO_DIRECTORY)); }

inline http::Request request_of(const std::string& body) {
  http::Request request;
  request.body = body;
  return request;
}

/// {"messages": [one of a user], MEMBERS}
inline std::string chat_body(const std::string& members) {
  return R"({"messages": [{"role": "user", "content": "Tell me."}], )" + members + "}";
}

/// The error that `work` throws; status 0 for none.
template <typename Work>
ApiError refusal(const Work& work) {
  try {
    work();
  } catch (const ApiError& error) {
    return error;
  }
  return {0, "", "", "nothing was refused"};
}

inline ApiError chat_refusal(const ApiContext& context, const std::string& members) {
  return refusal([&] { prepare_chat(request_of(chat_body(members)), context); });
}

}  // namespace unmask::testing
