// How probable each answer to a question about a text is, in one pass and without generating:
// decide MODEL TEXT QUESTION ANSWER ANSWER...
#include <iomanip>
#include <iostream>
#include <unmask/unmask.h>

int main(int argc, char** argv) try {
  if (argc < 6) {
    std::cerr << "usage: decide MODEL TEXT QUESTION ANSWER ANSWER...\n";
    return 2;
  }
  const unmask::Model model(argv[1]);
  unmask::Question question{.kind = unmask::QuestionKind::choice, .text = argv[3]};
  for (int i = 4; i < argc; ++i) question.options.push_back({argv[i]});
  const unmask::Answer answer = model.decide(argv[2], {&question, 1}).front();
  for (std::size_t i = 0; i < question.options.size(); ++i) {
    std::cout << std::fixed << std::setprecision(3) << answer.probabilities[i] << " "
              << question.options[i].text << "\n";
  }
  return 0;
} catch (const unmask::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
