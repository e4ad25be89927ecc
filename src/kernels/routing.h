// How rows come to their experts. Plain data, which kernels of a device read, too.
#pragma once

namespace unmask {

/// How a row comes to its experts. The router gives it one logit an expert, which become scores: a
/// softmax over all experts or, one by one, a sigmoid. The row takes the `top_k` best; equal ones
/// in order of their index.
struct Routing {
  int top_k = 1;
  bool sigmoid = false;
  bool normalized = false;  // weights: the scores over their sum, instead of as they are
  float scale = 1;          // of the weights
  /// Experts side by side form groups. A row takes experts of the `groups_kept` best ones only,
  /// which is told by the sum of the two best in a group (LLaDA2).
  int groups = 1;
  int groups_kept = 1;
};

struct RoutedExpert {
  int expert = 0;
  float weight = 0;
};

}  // namespace unmask
