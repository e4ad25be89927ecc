/* Shows an answer while it is being unmasked, a line for each step: stream MODEL QUESTION */
#include <stdio.h>
#include <unmask/c.h>

static int show(const unmask_step_event* event, void* user) {
  const unmask_model* model = user;
  char text[64];
  size_t length;
  size_t i;
  printf("%d: %d masks left", event->step, event->masks_left);
  for (i = 0; i < event->n_decided; ++i) {
    const unmask_decision* decision = &event->decided[i];
    if (unmask_decode(model, &decision->token, 1, text, sizeof text, &length) != UNMASK_OK)
      return 0;
    printf(", %d is '%s'", decision->position, text);
  }
  puts("");
  fflush(stdout);
  return 1; /* 0 ends it */
}

int main(int argc, char** argv) {
  const char* const options[] = {"preset=exact", "gen_length=32", NULL};
  unmask_model* model = NULL;
  unmask_request* request = NULL;
  unmask_result* result = NULL;
  unmask_status status;
  if (argc != 3) {
    fputs("usage: stream MODEL QUESTION\n", stderr);
    return 2;
  }
  status = unmask_model_load(argv[1], NULL, &model);
  if (status == UNMASK_OK) status = unmask_prepare(model, argv[2], options, &request);
  if (status == UNMASK_OK) status = unmask_generate(model, request, show, model, NULL, &result);
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
