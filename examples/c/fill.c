/* Fills the holes of a text, "___" or with a number of tokens "___{6}": fill MODEL TEXT */
#include <stdio.h>
#include <unmask/c.h>

int main(int argc, char** argv) {
  unmask_model* model = NULL;
  unmask_request* request = NULL;
  unmask_result* result = NULL;
  unmask_status status;
  if (argc != 3) {
    fputs("usage: fill MODEL TEXT\n", stderr);
    return 2;
  }
  status = unmask_model_load(argv[1], NULL, &model);
  if (status == UNMASK_OK) status = unmask_prepare_fill(model, argv[2], NULL, NULL, &request);
  if (status == UNMASK_OK) status = unmask_generate(model, request, NULL, NULL, NULL, &result);
  if (status == UNMASK_OK) {
    puts(unmask_result_text(result));
  } else {
    fprintf(stderr, "%s\n", unmask_error_message());
  }
  unmask_result_free(result);
  unmask_request_free(request);
  unmask_model_free(model);
  return status == UNMASK_OK ? 0 : 1;
}
