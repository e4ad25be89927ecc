// FNV-1a, 64 bits: tells texts and files apart; not against forgery.
#pragma once

#include <cstdint>
#include <string_view>

namespace unmask {

/// `hash`: of what came before `bytes`.
constexpr uint64_t fnv1a(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325U) {
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3U;
  return hash;
}

}  // namespace unmask
