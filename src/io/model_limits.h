#pragma once

namespace unmask {

// Bounds no real model comes near, small enough that products of two fit 64 bits with ease.
inline constexpr int kMaxVocab = 1 << 24;
inline constexpr int kMaxWidth = 1 << 20;
inline constexpr int kMaxLayers = 1 << 12;
inline constexpr int kMaxPositions = 1 << 24;  // some 100 times the most of any model
inline constexpr int kMaxExperts = 1 << 12;

}  // namespace unmask
