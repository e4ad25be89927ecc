#include "session/shard.h"

#include <cstdlib>

#include "core/error.h"
#include "core/parse_number.h"

namespace unmask {

namespace {

std::optional<int> number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? std::nullopt : parse_number<int>(text);
}

}  // namespace

std::string Shard::name() const { return fmt::format("{}-of-{}", index + 1, count); }

Shard parse_shard(std::string_view text) {
  const size_t slash = text.find('/');
  const auto index = parse_number<int>(text.substr(0, slash));
  const auto count =
      slash == std::string_view::npos ? std::nullopt : parse_number<int>(text.substr(slash + 1));
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
