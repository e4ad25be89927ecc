#include "session/shard.h"

#include <charconv>
#include <cstdlib>

#include "core/error.h"

namespace unmask {

namespace {

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || last != end) return std::nullopt;
  return value;
}

std::optional<int> number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? std::nullopt : whole_number(text);
}

}  // namespace

std::string Shard::name() const { return fmt::format("{}-of-{}", index + 1, count); }

Shard parse_shard(std::string_view text) {
  const size_t slash = text.find('/');
  const auto index = whole_number(text.substr(0, slash));
  const auto count =
      slash == std::string_view::npos ? std::nullopt : whole_number(text.substr(slash + 1));
  if (!index || !count || *index < 1 || *index > *count) {
    fail("[shard] found '{}', expected I/N, the I-th of N shares, as in 1/4", printable(text));
  }
  return {*index - 1, *count};
}

std::optional<Shard> launched_shard() {
  constexpr const char* kLaunchers[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                           {"PMI_RANK", "PMI_SIZE"},
                                           {"SLURM_PROCID", "SLURM_NTASKS"}};
  for (const auto& [rank, size] : kLaunchers) {
    const auto index = number_of(rank);
    const auto count = number_of(size);
    if (index && count && *index >= 0 && *index < *count) return Shard{*index, *count};
  }
  return std::nullopt;
}

}  // namespace unmask
