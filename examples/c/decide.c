/* How probable each answer to a question about a text is, in one pass and without generating:
 * decide MODEL TEXT QUESTION ANSWER ANSWER... */
#include <stdio.h>
#include <unmask/c.h>

enum { most = 16 };

int main(int argc, char** argv) {
  const char* const* answers = (const char* const*)argv + 4;
  double probabilities[most];
  unmask_model* model = NULL;
  unmask_status status;
  int i;
  if (argc < 6 || argc > 4 + most) {
    fputs("usage: decide MODEL TEXT QUESTION ANSWER ANSWER...\n", stderr);
    return 2;
  }
  status = unmask_model_load(argv[1], NULL, &model);
  if (status == UNMASK_OK) {
    status =
        unmask_decide(model, argv[2], argv[3], answers, (size_t)(argc - 4), NULL, probabilities);
  }
  if (status == UNMASK_OK) {
    for (i = 0; i < argc - 4; ++i) printf("%.3f %s\n", probabilities[i], answers[i]);
  } else {
    fprintf(stderr, "%s\n", unmask_error_message());
  }
  unmask_model_free(model);
  return status == UNMASK_OK ? 0 : 1;
}
