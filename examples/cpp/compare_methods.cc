// What two methods make of a question, and how many rows went through the network for it, side by
// side in one engine: compare_methods MODEL QUESTION METHOD METHOD
#include <array>
#include <iostream>
#include <unmask/unmask.h>

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::cerr << "usage: compare_methods MODEL QUESTION METHOD METHOD\n";
    return 2;
  }
  const unmask::Model model(argv[1]);
  std::array<unmask::Request, 2> requests;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i] =
        model.prepare(argv[2], {.preset = "exact", .gen_length = 32, .method = argv[3 + i]});
  }
  const std::vector<unmask::Result> results = unmask::generate_all(model, requests);
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::cout << argv[3 + i] << ": " << results[i].steps << " steps, " << results[i].rows
              << " rows: " << results[i].text << "\n";
  }
  return 0;
} catch (const unmask::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
