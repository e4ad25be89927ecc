// Options by name and text, for languages that have no structs of ours.
#include <array>
#include <type_traits>
#include <variant>

#include "api/translate.h"
#include "core/error.h"
#include "core/parse_number.h"
#include "io/text/chat_template.h"
#include "unmask/model.h"

namespace unmask_v0 {

namespace {

template <typename T>
T number(std::string_view name, std::string_view text) {
  const std::optional<T> value = unmask::parse_number<T>(text);
  if (!value) {
    unmask::fail("[options] {}: found '{}', expected {}", name, unmask::printable(text, 40),
                 std::is_floating_point_v<T> ? "a number"
                 : std::is_unsigned_v<T>     ? "a whole number from 0 on"
                                             : "a whole number");
  }
  return *value;
}

bool flag(std::string_view name, std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  unmask::fail("[options] {}: found '{}', expected true or false", name,
               unmask::printable(text, 40));
}

/// Reads a text into a member of any type that options have.
struct Reader {
  std::string_view name;
  std::string_view text;

  void operator()(bool& to) const { to = flag(name, text); }
  void operator()(std::string& to) const { to = text; }
  void operator()(std::map<std::string, std::string>& to) const {
    to = unmask::read_template_variables(text);
  }
  void operator()(std::vector<std::string>& to) const { to.emplace_back(text); }
  template <typename T>
  void operator()(T& to) const {
    to = number<T>(name, text);
  }
  template <typename T>
  void operator()(std::optional<T>& to) const {
    (*this)(to.emplace());
  }
};

template <typename Options, typename... Types>
struct Option {
  std::string_view name;
  std::variant<Types Options::*...> member;
};

template <typename T>
using Maybe = std::optional<T>;
using R = RequestOptions;
using RequestOption =
    Option<R, bool, int, double, uint64_t, std::string, std::map<std::string, std::string>,
           Maybe<int>, Maybe<double>, Maybe<std::string>>;
using L = LoadOptions;
using LoadOption = Option<L, int, std::string, std::vector<std::string>, Maybe<int>, Maybe<bool>,
                          Maybe<double>, Maybe<std::string>>;

const std::array kRequestOptions{
    RequestOption{"raw", &R::raw},
    RequestOption{"system", &R::system},
    RequestOption{"chat_template", &R::chat_template},
    RequestOption{"template_options", &R::template_options},
    RequestOption{"json_schema", &R::json_schema},
    RequestOption{"json_object", &R::json_object},
    RequestOption{"hole", &R::hole},
    RequestOption{"grow", &R::grow},
    RequestOption{"preset", &R::preset},
    RequestOption{"gen_length", &R::gen_length},
    RequestOption{"max_tokens", &R::max_tokens},
    RequestOption{"block_length", &R::block_length},
    RequestOption{"steps", &R::steps},
    RequestOption{"tokens_per_step", &R::tokens_per_step},
    RequestOption{"algorithm", &R::algorithm},
    RequestOption{"temperature", &R::temperature},
    RequestOption{"top_p", &R::top_p},
    RequestOption{"alg_temp", &R::alg_temp},
    RequestOption{"eps", &R::eps},
    RequestOption{"top_k", &R::top_k},
    RequestOption{"threshold", &R::threshold},
    RequestOption{"factor", &R::factor},
    RequestOption{"edit", &R::edit},
    RequestOption{"leap", &R::leap},
    RequestOption{"leap_radius", &R::leap_radius},
    RequestOption{"credit", &R::credit},
    RequestOption{"drafts", &R::drafts},
    RequestOption{"cfg_scale", &R::cfg_scale},
    RequestOption{"seed", &R::seed},
    RequestOption{"suppress_eos", &R::suppress_eos},
    RequestOption{"defer_eos", &R::defer_eos},
    RequestOption{"attach_eos", &R::attach_eos},
    RequestOption{"early_stop", &R::early_stop},
    RequestOption{"method", &R::method},
};

const std::array kLoadOptions{
    LoadOption{"device", &L::device},
    LoadOption{"dtype", &L::dtype},
    LoadOption{"threads", &L::threads},
    LoadOption{"lora", &L::lora},
    LoadOption{"family", &L::family},
    LoadOption{"mask_id", &L::mask_id},
    LoadOption{"eos_id", &L::eos_id},
    LoadOption{"model_block", &L::model_block},
    LoadOption{"shift_logits", &L::shift_logits},
    LoadOption{"prefix_cache", &L::prefix_cache},
};

template <typename Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  names.reserve(std::size(entries));
  for (const auto& entry : entries) names.emplace_back(entry.name);
  return names;
}

template <typename Options, typename Entries>
void set_by_name(Options& options, const Entries& entries, std::string_view name,
                 std::string_view value) {
  for (const auto& entry : entries) {
    if (entry.name != name) continue;
    return std::visit([&](auto member) { Reader{name, value}(options.*member); }, entry.member);
  }
  unmask::fail("[options] there is no '{}'; there is {}", unmask::printable(name, 40),
               fmt::join(names_of(entries), ", "));
}

}  // namespace

void RequestOptions::set(std::string_view name, std::string_view value) {
  translated([&] { set_by_name(*this, kRequestOptions, name, value); });
}

void LoadOptions::set(std::string_view name, std::string_view value) {
  translated([&] { set_by_name(*this, kLoadOptions, name, value); });
}

std::vector<std::string> option_names() { return names_of(kRequestOptions); }

}  // namespace unmask_v0
