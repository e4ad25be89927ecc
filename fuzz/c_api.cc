// The C interface: calls in any order with handles of any kind, NULL among them, and any texts.
#include <array>
#include <deque>
#include <string>
#include <vector>

#include "support.h"
#include "targets.h"
#include "unmask/c.h"

namespace unmask::fuzz {

namespace {

unmask_model* load_demo() {
  const char* const options[] = {"threads=1", nullptr};
  unmask_model* model = nullptr;
  require(unmask_model_load(UNMASK_DEMO_DIRECTORY, options, &model) == UNMASK_OK,
          "the embedded model loads");
  return model;
}

/// Loaded at the first call: no other target needs it.
unmask_model* shared_model() {
  static unmask_model* const model = load_demo();
  return model;
}

int ends_at_once(const unmask_step_event* event, void* user) {
  require(event != nullptr && user == nullptr, "a callback gets what it was promised");
  return 0;
}

/// Calls functions as bytes say.
class Caller {
 public:
  explicit Caller(std::string_view input) : input_(input) {}
  ~Caller() {
    for (unmask_engine* engine : engines_) unmask_engine_free(engine);
    for (unmask_request* request : requests_) unmask_request_free(request);
    for (unmask_result* result : results_) unmask_result_free(result);
    for (unmask_cancellation* c : cancellations_) unmask_cancellation_free(c);
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  void run() {
    for (int calls = 0; !input_.empty() && calls < 24; ++calls) call(byte() % 19);
  }

 private:
  uint8_t byte() {
    if (input_.empty()) return 0;
    const auto value = static_cast<uint8_t>(input_.front());
    input_.remove_prefix(1);
    return value;
  }
  /// Up to a zero byte; NULL now and then.
  const char* text() {
    if (byte() % 16 == 0) return nullptr;
    const size_t length = std::min<size_t>(input_.find('\0'), std::min<size_t>(input_.size(), 200));
    texts_.emplace_back(input_.substr(0, length));
    input_.remove_prefix(std::min(length + 1, input_.size()));
    return texts_.back().c_str();
  }
  /// NULL or a handle, mostly of the right kind.
  template <typename H>
  H* handle(const std::vector<H*>& right) {
    const uint8_t choice = byte();
    if (choice % 8 == 0) return nullptr;
    if (choice % 8 == 1) return reinterpret_cast<H*>(all_[choice / 8 % all_.size()]);
    return right.empty() ? nullptr : right[choice / 8 % right.size()];
  }
  unmask_model* model() { return handle(models_); }
  unmask_cancellation* cancellation() { return byte() % 4 == 0 ? handle(cancellations_) : nullptr; }
  const char* const* options() {
    options_ = {"gen_length=8", byte() % 2 == 0 ? text() : nullptr, nullptr};
    return options_.data();
  }
  /// A failure leaves its output alone and says why; a success hands out something.
  template <typename H>
  void keep(unmask_status status, H* made, std::vector<H*>& kept) {
    check(status);
    require((status == UNMASK_OK) == (made != nullptr), "a handle is made, or there is an error");
    if (made == nullptr) return;
    kept.push_back(made);
    all_.push_back(made);
  }
  static void check(unmask_status status) {
    require(status >= UNMASK_OK && status < UNMASK_DEFECT,
            "a status is one of those that are known");
    if (status != UNMASK_OK) check_message(unmask_error_message());
  }

  void call(int function) {
    unmask_request* request = nullptr;
    unmask_result* result = nullptr;
    unmask_engine* engine = nullptr;
    unmask_cancellation* made = nullptr;
    std::array<int32_t, 4> tokens{byte(), byte() << 4, -1, 1 << 20};
    std::array<char, 8> buffer{};
    std::array<double, 2> numbers{};
    size_t count = 0;
    int flag = 0;
    int64_t id = byte() % 4;
    switch (function) {
      case 0: return keep(unmask_prepare(model(), text(), options(), &request), request, requests_);
      case 1: {
        const unmask_message messages[] = {{text(), text()}, {"user", text()}};
        return keep(unmask_prepare_chat(model(), messages, byte() % 3, options(), &request),
                    request, requests_);
      }
      case 2:
        return keep(unmask_prepare_tokens(model(), tokens.data(), byte() % 5, options(), &request),
                    request, requests_);
      case 3:
        return keep(unmask_prepare_fill(model(), text(), text(), options(), &request), request,
                    requests_);
      case 4:
        return keep(unmask_generate(model(), handle(requests_), ends_at_once, nullptr,
                                    cancellation(), &result),
                    result, results_);
      case 5: return keep(unmask_cancellation_new(&made), made, cancellations_);
      case 6: return check(unmask_cancel(handle(cancellations_)));
      case 7:
        return keep(unmask_engine_new(model(), byte() % 4, cancellation(), &engine), engine,
                    engines_);
      case 8:
        return check(
            unmask_engine_submit(handle(engines_), handle(requests_), ends_at_once, nullptr, &id));
      case 9: return check(unmask_engine_step(handle(engines_), &flag));
      case 10: return check(unmask_engine_cancel(handle(engines_), id));
      case 11: return check(unmask_engine_ended(handle(engines_), id, &flag));
      case 12: return keep(unmask_engine_take(handle(engines_), id, &result), result, results_);
      case 13: return check(unmask_encode(model(), text(), tokens.data(), byte() % 5, &count));
      case 14:
        check(unmask_decode(model(), tokens.data(), byte() % 5, buffer.data(), byte() % 9, &count));
        return require(buffer.back() == 0, "text ends with a zero inside its buffer");
      case 15: {
        unmask_result_info info{};
        info.size = byte() % (sizeof info + 16);
        return check(unmask_result_get_info(handle(results_), &info));
      }
      case 16:
        unmask_result_tokens(handle(results_), &count);
        unmask_result_text(handle(results_));
        return;
      case 17: {
        unmask_request_info info{};
        info.size = byte() % (sizeof info + 16);
        check(unmask_request_get_info(handle(requests_), &info));
        unmask_request_tokens(handle(requests_), &count);
        return;
      }
      default: {
        const char* const choices[] = {text(), "no"};
        return check(unmask_decide(model(), text(), text(), choices, byte() % 3, cancellation(),
                                   numbers.data()));
      }
    }
  }

  const std::vector<unmask_model*> models_{shared_model()};
  std::string_view input_;
  std::deque<std::string> texts_;  // pointers into it stay
  std::array<const char*, 3> options_{};
  std::vector<void*> all_{models_[0]};
  std::vector<unmask_request*> requests_;
  std::vector<unmask_result*> results_;
  std::vector<unmask_engine*> engines_;
  std::vector<unmask_cancellation*> cancellations_;
};

}  // namespace

void c_api(std::string_view input) { Caller(input).run(); }

}  // namespace unmask::fuzz
