// What `unmask bench` measured, as text, JSON and a picture.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/draw/picture.h"
#include "bench/generation.h"
#include "bench/targets.h"

namespace unmask {

/// All generations of one model.
struct BenchRun {
  std::string shape;
  std::string weights;  // their type
  std::string backend;
  size_t weight_bytes = 0;
  std::vector<GenerationFigures> generations;
};

std::string ceilings_text(const Ceilings& ceilings);
/// How many times the speed of full attention at the same context; 0 where that was not measured.
double speed_over_full(const BenchRun& run, const GenerationFigures& figures);

std::string bench_text(const BenchRun& run);
nlohmann::ordered_json bench_json(const Ceilings& ceilings, const std::vector<BenchRun>& runs);

/// Seconds of a generation and memory against context, a line for each method and type of weights.
std::string bench_plot(const std::vector<BenchRun>& runs, PictureFormat format);

std::string target_header();
std::string target_line(const Target& target);
/// How many are met, near and missed, in a line.
std::string targets_summary(const std::vector<Target>& targets);
nlohmann::ordered_json targets_json(const std::vector<Target>& targets);

}  // namespace unmask
