// Shows an answer while it is being unmasked, a line for each step: stream MODEL QUESTION
#include <iostream>
#include <unmask/unmask.h>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: stream MODEL QUESTION\n";
    return 2;
  }
  const unmask::Model model(argv[1]);
  const unmask::Request request = model.prepare(argv[2], {.preset = "exact", .gen_length = 32});
  const auto result = model.generate(request, [&](const unmask::StepEvent& event) {
    std::cout << event.step << ": " << event.masks_left << " masks left";
    for (const unmask::Decision& decision : event.decided) {
      std::cout << ", " << decision.position << " is '" << model.decode({&decision.token, 1})
                << "'";
    }
    std::cout << std::endl;
    return true;  // false ends it
  });
  std::cout << result.text << "\n";
  return 0;
} catch (const unmask::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
