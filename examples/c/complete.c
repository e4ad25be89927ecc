/* Answers a question: complete MODEL QUESTION */
#include <stdio.h>
#include <unmask/c.h>

int main(int argc, char** argv) {
  unmask_model* model = NULL;
  unmask_result* result = NULL;
  unmask_status status;
  if (argc != 3) {
    fputs("usage: complete MODEL QUESTION\n", stderr);
    return 2;
  }
  status = unmask_model_load(argv[1], NULL, &model);
  if (status == UNMASK_OK) status = unmask_ask(model, argv[2], NULL, &result);
  if (status == UNMASK_OK) {
    puts(unmask_result_text(result));
  } else {
    fprintf(stderr, "%s\n", unmask_error_message());
  }
  unmask_result_free(result);
  unmask_model_free(model);
  return status == UNMASK_OK ? 0 : 1;
}
